//! A Kubernetes API in memory, with a Deployment controller whose pods do what their image's name says: `good`, `crash`,
//! `missing`, `never`.

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use k8s::apply::{Manager, Operation};
use k8s::labels::{FieldSelector, Selector};
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;

mod answer;

use answer::{Body, percent, status, text};

type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    log: Vec<(u64, &'static str, Value)>,
    revision: u64,
    writes: Vec<String>,
    die_after: Option<usize>,
    largest_secret: Option<usize>,
    forbidden: Option<&'static str>,
}

/// The server.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
    pub kubeconfig: PathBuf,
}

impl State {
    fn put(&mut self, kind: &Kind, mut object: Value, event: &'static str) -> Value {
        self.revision += 1;
        object.set("metadata.resourceVersion", self.revision.to_string());
        object.set("kind", kind.kind);
        object.set("apiVersion", kind.api_version());
        if object.uid().is_empty() {
            object.set("metadata.uid", format!("uid-{}", self.revision));
            object.set("metadata.creationTimestamp", "2026-01-01T00:00:00Z");
        }
        self.objects.insert((kind.resource.to_owned(), object.namespace().to_owned(), object.name().to_owned()), object.clone());
        self.log.push((self.revision, event, object.clone()));
        object
    }

    fn taken(&self, kind: &Kind, body: &[u8]) -> Result<Value, ApiError> {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let too_long = kind.kind == "Secret" && self.largest_secret.is_some_and(|most| given["data"].to_string().len() > most);
        if too_long { Err(ApiError::new(422, "Invalid", "data: Too long")) } else { Ok(given) }
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let gone = self.objects.remove(key)?;
        self.revision += 1;
        let mut last = gone.clone();
        last.set("metadata.resourceVersion", self.revision.to_string());
        self.log.push((self.revision, "DELETED", last));
        let mut owned: Vec<Key> = self
            .objects
            .iter()
            .filter(|(_, object)| object.controller().is_some_and(|owner| owner.text("uid") == gone.uid()))
            .map(|(key, _)| key.clone())
            .collect();
        if key.0 == "namespaces" {
            owned.extend(self.objects.keys().filter(|other| other.1 == key.2).cloned());
        }
        for key in owned {
            self.remove(&key);
        }
        Some(gone)
    }
}

fn kind(name: &str) -> &'static Kind {
    k8s::KINDS.iter().copied().find(|kind| kind.kind == name).expect("a known kind")
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("address").port();
        let folder = std::env::temp_dir().join(format!("wharf-delivery-{}", base::ids::suffix(10)));
        base::files::make_folder(&folder, 0o700).expect("folder");
        let kubeconfig = folder.join("kubeconfig");
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "fake", "clusters": [{"name": "fake", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "fake", "user": {}}], "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}]});
        base::files::write_atomically(&kubeconfig, text.to_string().as_bytes(), 0o600).expect("kubeconfig");
        let server = Self { state: Arc::default(), changed: Arc::new(watch::channel(0).0), kubeconfig };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                let service = hyper::service::service_fn(move |request| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.answer(request).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        server
    }

    pub fn folder(&self) -> PathBuf {
        self.kubeconfig.parent().expect("a folder").to_owned()
    }

    /// What was written since the last call, as `VERB plural/name`.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("state").writes)
    }

    /// From now on only so many writes succeed; the others break the connection, as a killed client would see it.
    pub fn die_after(&self, writes: Option<usize>) {
        self.state.lock().expect("state").die_after = writes;
    }

    /// From now on a Secret holds at most so many bytes, as base64 has them.
    pub fn largest_secret(&self, bytes: usize) {
        self.state.lock().expect("state").largest_secret = Some(bytes);
    }

    /// From now on nobody may list or watch this resource.
    pub fn forbid(&self, resource: &'static str) {
        self.state.lock().expect("state").forbidden = Some(resource);
    }

    pub fn object(&self, kind_name: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = (kind(kind_name).resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().expect("state").objects.get(&key).cloned()
    }

    pub fn remove(&self, kind_name: &str, namespace: &str, name: &str) {
        let key = (kind(kind_name).resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().expect("state").remove(&key);
        self.tell();
    }

    pub fn names(&self) -> Vec<String> {
        let state = self.state.lock().expect("state");
        state.objects.keys().map(|(plural, _, name)| format!("{plural}/{name}")).collect()
    }

    pub fn put(&self, kind_name: &str, object: Value) {
        self.state.lock().expect("state").put(kind(kind_name), object, "MODIFIED");
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let query: HashMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), percent(value)))
            .collect();
        let path: Vec<String> = parts.uri.path().split('/').filter(|part| !part.is_empty()).map(percent).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (group, version, rest) = match path.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return status(&ApiError::new(404, "NotFound", "no such path")),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let Some((plural, rest)) = rest.split_first() else { return status(&ApiError::new(404, "NotFound", "no resource")) };
        let Some(kind) = k8s::kinds::find_resource(group, version, plural) else {
            return status(&ApiError::new(404, "NotFound", "no such resource"));
        };
        if rest.is_empty() && parts.method == Method::GET && self.state.lock().expect("state").forbidden == Some(*plural) {
            return status(&ApiError::new(403, "Forbidden", format!("{plural} is forbidden")));
        }
        match rest {
            [_, "log"] => text(StatusCode::OK, "starting\nno database\n".to_owned()),
            [] if query.contains_key("watch") => self.watch(kind, namespace, &query),
            [] if parts.method == Method::GET => self.list(kind, namespace, &query),
            _ => {
                let name = rest.first().copied().unwrap_or_default();
                match self.write_or_get(&parts.method, kind, namespace, name, &query, &body) {
                    Ok(object) => text(StatusCode::OK, object.to_string()),
                    Err(error) => status(&error),
                }
            }
        }
    }

    fn list(&self, kind: &Kind, namespace: &str, query: &HashMap<String, String>) -> Response<Body> {
        let state = self.state.lock().expect("state");
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|((plural, _, _), object)| plural == kind.resource && wanted(object, namespace, query))
            .map(|(_, object)| object)
            .collect();
        text(
            StatusCode::OK,
            json!({"kind": "List", "metadata": {"resourceVersion": state.revision.to_string()}, "items": items}).to_string(),
        )
    }

    fn watch(&self, kind: &'static Kind, namespace: &str, query: &HashMap<String, String>) -> Response<Body> {
        let since: u64 = query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        let (state, query, namespace) = (self.state.clone(), query.clone(), namespace.to_owned());
        let stream = futures::stream::unfold((since, self.changed.subscribe()), move |(since, mut changed)| {
            let (state, query, namespace) = (state.clone(), query.clone(), namespace.clone());
            async move {
                loop {
                    let next: Vec<(u64, String)> = {
                        let state = state.lock().expect("state");
                        let of_kind = state.log.iter().filter(|(at, _, object)| {
                            *at > since && object.text("kind") == kind.kind && wanted(object, &namespace, &query)
                        });
                        of_kind.map(|(at, event, object)| (*at, format!("{}\n", json!({"type": event, "object": object})))).collect()
                    };
                    if let Some((last, _)) = next.last() {
                        let text: String = next.iter().map(|(_, line)| line.as_str()).collect();
                        return Some((Ok(Frame::data(Bytes::from(text))), (*last, changed)));
                    }
                    changed.changed().await.ok()?;
                }
            }
        });
        Response::new(BodyExt::boxed_unsync(StreamBody::new(stream.boxed().map(|frame: Result<Frame<Bytes>, Infallible>| frame))))
    }

    fn write_or_get(
        &self,
        method: &Method,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        query: &HashMap<String, String>,
        body: &[u8],
    ) -> Result<Value, ApiError> {
        let mut state = self.state.lock().expect("state");
        let key = (kind.resource.to_owned(), namespace.to_owned(), name.to_owned());
        let live = state.objects.get(&key).cloned();
        if *method == Method::GET {
            return live.ok_or_else(|| ApiError::not_found(kind, name));
        }
        let dry = query.contains_key("dryRun");
        if !dry {
            if state.die_after == Some(0) {
                return Err(ApiError::internal("dead"));
            }
            state.die_after = state.die_after.map(|left| left - 1);
            state.writes.push(format!("{method} {}/{name}", kind.resource));
        }
        let given = state.taken(kind, body)?;
        let made = match *method {
            Method::PATCH => {
                let (api_version, manager) = (kind.api_version(), query.get("fieldManager").cloned().unwrap_or_default());
                let manager = Manager {
                    name: &manager,
                    operation: Operation::Apply,
                    api_version: &api_version,
                    subresource: "",
                    time: base::Timestamp::from_micros(0),
                    ignored: &["status"],
                };
                k8s::apply::apply(kind.schema, live.as_ref(), &given, &manager, query.contains_key("force"))?
            }
            Method::POST if live.is_some() || state.objects.contains_key(&(key.0.clone(), key.1.clone(), given.name().to_owned())) => {
                return Err(ApiError::already_exists(kind, given.name()));
            }
            Method::POST => given,
            Method::PUT => {
                let live = live.as_ref().ok_or_else(|| ApiError::not_found(kind, name))?;
                if given.resource_version() != live.resource_version() {
                    return Err(ApiError::conflict(kind, name, "the object has been modified"));
                }
                given
            }
            Method::DELETE => {
                let gone = state.remove(&key).ok_or_else(|| ApiError::not_found(kind, name))?;
                drop(state);
                self.tell();
                return Ok(gone);
            }
            _ => return Err(ApiError::new(405, "MethodNotAllowed", "no")),
        };
        if kind.is_namespaced() && !state.objects.contains_key(&("namespaces".to_owned(), String::new(), namespace.to_owned())) {
            return Err(ApiError::not_found(k8s::kinds::NAMESPACE, namespace));
        }
        if dry || live.as_ref() == Some(&made) {
            return Ok(made);
        }
        let mut made = made;
        let spec_changed = live.as_ref().and_then(|live| live.get("spec")) != made.get("spec");
        if kind.kind == "Deployment" && spec_changed {
            let generation = made.int("metadata.generation").unwrap_or(0) + 1;
            made.set("metadata.generation", generation);
        }
        let stored = state.put(kind, made, if live.is_some() { "MODIFIED" } else { "ADDED" });
        drop(state);
        self.tell();
        if kind.kind == "Deployment" && spec_changed {
            let (server, stored) = (self.clone(), stored.clone());
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                server.control(&stored);
            });
        }
        Ok(stored)
    }

    // What controller, scheduler and kubelet would make of a Deployment.
    fn control(&self, deployment: &Value) {
        let mut state = self.state.lock().expect("state");
        let (namespace, name) = (deployment.namespace().to_owned(), deployment.name().to_owned());
        let Some(mut live) = state.objects.get(&("deployments".to_owned(), namespace.clone(), name.clone())).cloned() else { return };
        let generation = live.int("metadata.generation").unwrap_or(1);
        let containers = live.items("spec.template.spec.containers").to_vec();
        let image = containers.first().map(|container| container.text("image").to_owned()).unwrap_or_default();
        let owner = |object: &Value, kind: &str| json!([{"uid": object.uid(), "kind": kind, "name": object.name(), "controller": true}]);
        let labels = live.at("spec.template.metadata.labels").cloned().unwrap_or_default();
        let set = json!({"metadata": {"name": format!("{name}-{generation}"), "namespace": namespace, "labels": labels, "annotations": {"deployment.kubernetes.io/revision": generation.to_string()}, "ownerReferences": owner(&live, "Deployment")},
            "spec": {"replicas": 1}, "status": {"replicas": 1}});
        let set = state.put(kind("ReplicaSet"), set, "ADDED");
        let status = |container: Value, ready: bool| json!({"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}], "containerStatuses": [container]});
        let (pod_status, ready) = if image.contains("crash") {
            (
                status(
                    json!({"name": "web", "image": image, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}),
                    false,
                ),
                false,
            )
        } else if image.contains("missing") {
            (
                status(
                    json!({"name": "web", "image": image, "state": {"waiting": {"reason": "ErrImageNeverPull", "message": "not present"}}}),
                    false,
                ),
                false,
            )
        } else {
            let ready = !image.contains("never");
            (status(json!({"name": "web", "image": image, "ready": ready, "state": {"running": {}}}), ready), ready)
        };
        let pod = json!({"metadata": {"name": format!("{name}-{generation}-x"), "namespace": namespace, "labels": labels, "ownerReferences": owner(&set, "ReplicaSet")}, "spec": {"restartPolicy": "Always", "containers": containers}, "status": pod_status});
        state.put(kind("Pod"), pod, "ADDED");
        let count = i64::from(ready);
        live.set("status", json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": count, "availableReplicas": count,
            "conditions": [{"type": "Progressing", "status": "True", "reason": if ready { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" }}, {"type": "Available", "status": if ready { "True" } else { "False" }}]}));
        let revision = generation.to_string();
        live.at_mut("metadata.annotations")["deployment.kubernetes.io/revision"] = json!(revision);
        state.put(kind("Deployment"), live, "MODIFIED");
        drop(state);
        self.tell();
    }
}

fn wanted(object: &Value, namespace: &str, query: &HashMap<String, String>) -> bool {
    let labels = query.get("labelSelector").map(|text| Selector::parse(text).expect("a selector"));
    let fields = query.get("fieldSelector").map(|text| FieldSelector::parse(text).expect("a selector"));
    (namespace.is_empty() || object.namespace() == namespace)
        && labels.is_none_or(|labels| labels.matches(object))
        && fields.is_none_or(|fields| fields.matches(object))
}
