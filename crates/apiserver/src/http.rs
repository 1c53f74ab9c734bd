//! From a request to an answer: who asks, what for, whether they may, and the verb.

mod bodies;

use crate::auth::Attributes;
use crate::auth::reviews::{REVIEWS, impersonated};
use crate::core::Core;
use crate::handler::list::Selection;
use crate::handler::options::{DeleteOptions, Propagation, WriteOptions};
use crate::handler::patching::PatchKind;
use crate::handler::watch::Watching;
use crate::handler::write::answers_with_object;
use crate::handler::{Call, Given, Written, convert};
use crate::request::{Query, ResourcePath, Target, Verb};
use crate::respond::{self, Answer, Shape};
use crate::subresource::{log, scale};
use crate::user::User;
use crate::{documents, proxy, streams};
use bodies::{body, given, gone, patch_value, success, value_of};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use hyper::body::Incoming;
use k8s::kinds::{POD, REQUESTS, RequestKind};
use k8s::{ApiError, Fields, Kind, Value};
use net::{Body, Handler, Peer};
use std::sync::Arc;

/// The API server as the network sees it.
pub struct Service(pub Arc<Core>);

impl Handler for Service {
    async fn handle(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Answer {
        let encoding = header_text(request.headers(), header::ACCEPT_ENCODING).to_owned();
        let yaml = respond::prefers_yaml(header_text(request.headers(), header::ACCEPT));
        let answer = match answer(&self.0, request, &peer).await {
            Ok(answer) => answer,
            Err(error) => respond::refusal(&error),
        };
        respond::compressed(if yaml { respond::as_yaml(answer) } else { answer }, &encoding)
    }
}

pub(crate) fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn answer(core: &Arc<Core>, request: Request<Incoming>, peer: &Peer) -> Result<Answer, ApiError> {
    origin(&request)?;
    let headers = request.headers();
    let user = core.authenticate(peer, headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()))?;
    let user = impersonated(core, user, headers)?;
    let path = request.uri().path().to_owned();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    match ResourcePath::parse(&path) {
        Some(named) => resource(core, request, user, named, query).await,
        None => {
            let verb = if request.method() == Method::HEAD { "get".to_owned() } else { request.method().as_str().to_ascii_lowercase() };
            core.authorize(&user, &Attributes { verb, path: path.clone(), ..Attributes::default() })?;
            documents::answer(core, &request, &path, &query)
        }
    }
}

/// A page in a browser of the machine may reach this port: it is told apart by its `Origin`, and by a `Host` that is a
/// name of the attacker's (DNS rebinding).
fn origin(request: &Request<Incoming>) -> Result<(), ApiError> {
    let refuse = |what: &str| Err(ApiError::new(403, "Forbidden", format!("requests with this {what} are not answered")));
    let headers = request.headers();
    // A page cannot know a token, and one of this machine's own is trusted as a program of it is.
    if headers.contains_key(header::ORIGIN)
        && !headers.contains_key(header::AUTHORIZATION)
        && !is_local(header_text(headers, header::ORIGIN))
    {
        return refuse("Origin");
    }
    let host = request.uri().authority().map(http::uri::Authority::as_str).unwrap_or_else(|| header_text(request.headers(), header::HOST));
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let ours = name.is_empty()
        || name.parse::<std::net::IpAddr>().is_ok()
        || name == "localhost"
        || name == "kubernetes"
        || name.starts_with("kubernetes.default");
    if ours { Ok(()) } else { refuse("Host") }
}

fn is_local(origin: &str) -> bool {
    let host = origin.parse::<http::Uri>().ok().and_then(|origin| origin.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn resource(core: &Arc<Core>, request: Request<Incoming>, user: User, path: ResourcePath, query: Query) -> Result<Answer, ApiError> {
    if proxy::is_meant(&path) {
        return proxy::answer(core, request, &user, &path).await;
    }
    let watch = query.flag("watch");
    let verb = path.verb(request.method(), watch).ok_or_else(not_allowed)?;
    let asked = Attributes {
        verb: verb.name().to_owned(),
        group: path.group.clone(),
        version: path.version.clone(),
        resource: path.resource.clone(),
        subresource: path.subresource.clone(),
        namespace: if path.resource == "namespaces" && path.group.is_empty() { path.name.clone() } else { path.namespace.clone() },
        name: path.name.clone(),
        path: String::new(),
    };
    core.authorize(&user, &asked)?;
    let posed =
        REQUESTS.iter().find(|known| (known.group, known.version, known.resource) == (&*path.group, &*path.version, &*path.resource));
    if let Some(posed) = posed {
        return question(core, request, &user, posed, &path).await;
    }
    let kind = k8s::kinds::find_resource(&path.group, &path.version, &path.resource).ok_or_else(no_such_resource)?;
    if kind.is_namespaced() && path.namespace.is_empty() && !path.name.is_empty() || !kind.is_namespaced() && !path.namespace.is_empty() {
        return Err(no_such_resource());
    }
    let target = Target { kind: convert::stored_kind(kind), namespace: path.namespace, name: path.name, subresource: path.subresource };
    let mut exchange = Exchange { core, kind, user: &user, target, query };
    if exchange.target.subresource.is_empty() { exchange.main(verb, request).await } else { exchange.below(verb, request).await }
}

pub(crate) fn not_allowed() -> ApiError {
    ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}

fn no_such_resource() -> ApiError {
    ApiError::new(404, "NotFound", "the server could not find the requested resource")
}

/// One request, once it is known what it is for.
struct Exchange<'a> {
    core: &'a Arc<Core>,
    /// The kind as the path names it.
    kind: &'static Kind,
    user: &'a User,
    /// The object as it is stored.
    target: Target,
    query: Query,
}

impl Exchange<'_> {
    async fn main(&mut self, verb: Verb, request: Request<Incoming>) -> Result<Answer, ApiError> {
        match verb {
            Verb::Get => self.get(&request),
            Verb::List => self.list(&request),
            Verb::Watch => self.watch(&request),
            Verb::Create if !self.target.name.is_empty() => Err(not_allowed()),
            Verb::Create | Verb::Update | Verb::Patch => self.write(verb, request).await,
            Verb::Delete => self.delete(request).await,
            Verb::DeleteCollection => self.delete_collection(request).await,
        }
    }

    fn shape(&self, headers: &HeaderMap) -> Result<Shape, ApiError> {
        let refused = || ApiError::new(406, "NotAcceptable", "only the following media types are accepted: application/json");
        Shape::negotiate(header_text(headers, header::ACCEPT), self.query.get("includeObject")).ok_or_else(refused)
    }

    fn call(&self) -> Call<'_> {
        Call::new(self.core, self.user, self.target.clone())
    }

    fn get(&self, request: &Request<Incoming>) -> Result<Answer, ApiError> {
        let shape = self.shape(request.headers())?;
        let entry = self.core.objects.store.get(&self.target.key()).ok_or_else(|| ApiError::not_found(self.kind, &self.target.name))?;
        if shape == Shape::Plain && convert::is_plain(self.kind) {
            return Ok(respond::json_bytes(200, entry.value.clone()));
        }
        let value = convert::out(self.kind, self.core.objects.decode(&entry));
        Ok(respond::json_value(200, &shape.one(self.kind, &value, self.core.now())))
    }

    fn list(&self, request: &Request<Incoming>) -> Result<Answer, ApiError> {
        let shape = self.shape(request.headers())?;
        let call = self.call();
        let selection = Selection::read(self.kind, &self.query)?;
        let listed = call.list(&self.query, &selection)?;
        if shape == Shape::Plain && convert::is_plain(self.kind) {
            let items = listed.entries.iter().map(|entry| entry.value.clone());
            return Ok(respond::json_bytes(200, respond::list_of_bytes(self.kind, items, &listed.metadata)));
        }
        let objects: Vec<Arc<Value>> =
            listed.entries.iter().map(|entry| convert::out(self.kind, self.core.objects.decode(entry))).collect();
        let objects: Vec<&Value> = objects.iter().map(|object| &**object).collect();
        Ok(respond::json_value(200, &shape.many(self.kind, &objects, listed.metadata, self.core.now())))
    }

    fn watch(&self, request: &Request<Incoming>) -> Result<Answer, ApiError> {
        let shape = self.shape(request.headers())?;
        if respond::prefers_yaml(header_text(request.headers(), header::ACCEPT)) {
            return Err(ApiError::new(406, "NotAcceptable", "changes are told as application/json only"));
        }
        let selection = Selection::read(self.kind, &self.query)?;
        let watching = Watching::begin(self.core, self.kind, (&self.target.namespace, &self.target.name), &self.query, selection, shape)?;
        let (sender, body) = Body::stream(8);
        tokio::spawn(watching.run(sender));
        Ok(respond::json_bytes(200, body))
    }

    async fn write(&self, verb: Verb, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let shape = self.shape(request.headers())?;
        let agent = header_text(request.headers(), header::USER_AGENT).to_owned();
        let content_type = header_text(request.headers(), header::CONTENT_TYPE).to_owned();
        let mut options = WriteOptions::read(&self.query, &agent)?;
        if content_type.starts_with("application/apply-patch") && self.query.get("fieldManager").is_empty() {
            options.manager = String::new();
        }
        let body = body(request).await?;
        let mut call = self.call();
        call.options = options;
        let written = self.write_body(&mut call, verb, &content_type, body).await;
        // What a body is warned of is told with a refusal too.
        let mut answer = match written {
            Ok(written) => self.written(if written.created { 201 } else { 200 }, &shape, written),
            Err(error) => respond::refusal(&error),
        };
        respond::add_warnings(answer.headers_mut(), &call.warnings);
        Ok(answer)
    }

    async fn write_body(&self, call: &mut Call<'_>, verb: Verb, content_type: &str, body: Bytes) -> Result<Written, ApiError> {
        if verb == Verb::Patch {
            let how = PatchKind::of(content_type)?;
            return call.patch(how, &self.stored(patch_value(&body, how)?)).await;
        }
        let given = match given(content_type, body)? {
            given if convert::is_plain(self.kind) => given,
            given => Given::Value(self.stored(value_of(given)?)),
        };
        if verb == Verb::Create { call.create(given).await } else { call.update(given).await }
    }

    fn stored(&self, value: Value) -> Value {
        convert::back(self.kind, value)
    }

    fn written(&self, code: u16, shape: &Shape, written: Written) -> Answer {
        if *shape == Shape::Plain && convert::is_plain(self.kind) {
            return respond::json_bytes(code, written.bytes);
        }
        let value = convert::out(self.kind, written.value);
        respond::json_value(code, &shape.one(self.kind, &value, self.core.now()))
    }

    async fn delete(&mut self, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let shape = self.shape(request.headers())?;
        let options = self.delete_options(request).await?;
        let mut call = self.call();
        let written = call.delete(&options).await?;
        if written.removed && !answers_with_object(self.kind) || options.dry_run {
            return Ok(respond::json_value(200, &gone(self.kind, &written.value)));
        }
        Ok(self.written(200, &shape, written))
    }

    async fn delete_options(&self, request: Request<Incoming>) -> Result<DeleteOptions, ApiError> {
        let content_type = header_text(request.headers(), header::CONTENT_TYPE).to_owned();
        let body = body(request).await?;
        let options = if body.is_empty() { None } else { Some(value_of(given(&content_type, body)?)?) };
        DeleteOptions::read(&self.query, options.as_ref(), Propagation::unsaid(self.kind))
    }

    async fn delete_collection(&mut self, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let options = self.delete_options(request).await?;
        let selection = Selection::read(self.kind, &self.query)?;
        let mut call = self.call();
        let listed = call.list(&self.query, &selection)?;
        let matching = listed.entries.iter().map(|entry| self.core.objects.decode(entry)).collect();
        let deleted = call.delete_collection(matching, &options).await?;
        let objects: Vec<Arc<Value>> = deleted.into_iter().map(|object| convert::out(self.kind, object)).collect();
        let objects: Vec<&Value> = objects.iter().map(|object| &**object).collect();
        Ok(respond::json_value(200, &Shape::Plain.many(self.kind, &objects, listed.metadata, self.core.now())))
    }

    async fn below(&mut self, verb: Verb, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let name = self.target.subresource.clone();
        let served = name == "status" && self.kind.has_status
            || name == "finalize" && self.kind.resource == "namespaces"
            || self.kind.subresources.iter().any(|known| known.name == name);
        if !served {
            return Err(no_such_resource());
        }
        match (name.as_str(), verb) {
            ("status" | "ephemeralcontainers" | "resize", Verb::Get) => self.get(&request),
            ("status" | "ephemeralcontainers" | "resize", Verb::Update | Verb::Patch) | ("finalize", Verb::Update) => {
                self.write(verb, request).await
            }
            ("scale", Verb::Get) => Ok(respond::json_value(200, &scale::of(&self.call().stored()?.value))),
            ("scale", Verb::Update | Verb::Patch) => self.scale(verb, request).await,
            ("log", Verb::Get) => {
                let pod = self.call().stored()?.value;
                let lines = log::lines(self.core, &pod, &self.query).await?;
                if streams::is_web_socket(request.headers()) {
                    streams::log(self.core, request, lines)
                } else {
                    Ok(log::answer(self.core, lines))
                }
            }
            ("exec" | "attach" | "portforward", Verb::Get | Verb::Create) if self.kind == POD => {
                let pod = self.call().stored()?.value;
                streams::answer(self.core, &pod, &name, &self.query, request).await
            }
            ("binding" | "eviction" | "token", Verb::Create) => self.posted(&name, request).await,
            _ => Err(not_allowed()),
        }
    }

    async fn scale(&mut self, verb: Verb, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let agent = header_text(request.headers(), header::USER_AGENT).to_owned();
        let content_type = header_text(request.headers(), header::CONTENT_TYPE).to_owned();
        let body = body(request).await?;
        let mut call = self.call();
        call.options = WriteOptions::read(&self.query, &agent)?;
        let scale = if verb == Verb::Patch {
            let how = PatchKind::of(&content_type)?;
            call.patch_scale(how, &patch_value(&body, how)?).await?
        } else {
            call.set_scale(&value_of(given(&content_type, body)?)?).await?
        };
        Ok(respond::json_value(200, &scale))
    }

    async fn posted(&mut self, name: &str, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let content_type = header_text(request.headers(), header::CONTENT_TYPE).to_owned();
        let options = WriteOptions::read(&self.query, header_text(request.headers(), header::USER_AGENT))?;
        let given = value_of(given(&content_type, body(request).await?)?)?;
        let mut call = self.call();
        call.options = options;
        match name {
            "binding" => call.bind(&given).await.map(|()| respond::json_value(201, &success(None))),
            "eviction" => call.evict(&given).await.map(|_| respond::json_value(201, &success(None))),
            _ => {
                let mut request = call.request_token(given)?;
                request.set("kind", "TokenRequest");
                request.set("apiVersion", "authentication.k8s.io/v1");
                Ok(respond::json_value(201, &request))
            }
        }
    }
}

async fn question(
    core: &Arc<Core>,
    request: Request<Incoming>,
    user: &User,
    posed: &'static RequestKind,
    path: &ResourcePath,
) -> Result<Answer, ApiError> {
    if request.method() != Method::POST {
        return Err(not_allowed());
    }
    if !matches!(Shape::negotiate(header_text(request.headers(), header::ACCEPT), ""), Some(Shape::Plain)) {
        return Err(ApiError::new(406, "NotAcceptable", "only the following media types are accepted: application/json"));
    }
    let content_type = header_text(request.headers(), header::CONTENT_TYPE).to_owned();
    let mut body = value_of(given(&content_type, body(request).await?)?)?;
    let api_version = if posed.group.is_empty() { posed.version.to_owned() } else { format!("{}/{}", posed.group, posed.version) };
    body.set("kind", posed.kind);
    body.set("apiVersion", api_version);
    if posed.kind == "Binding" {
        let mut call = Call::new(core, user, Target::object(POD, &path.namespace, body.name()).below("binding"));
        return call.bind(&body).await.map(|()| respond::json_value(201, &success(None)));
    }
    let review = REVIEWS.iter().find(|review| review.kind == posed.kind).ok_or_else(no_such_resource)?;
    if body.at("metadata.creationTimestamp").is_none() {
        body.set("metadata.creationTimestamp", Value::Null);
    }
    Ok(respond::json_value(201, &(review.answer)(core, user, &path.namespace, body)?))
}
