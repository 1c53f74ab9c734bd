//! What programs ask that kubectl does not: media types, selectors, subresources by hand.

use crate::common::World;
use apiserver::DeleteOptions;
use futures::StreamExt;
use k8s::kinds::{INGRESS_CLASS, NAMESPACE, POD, POD_TEMPLATE, RUNTIME_CLASS, SERVICE};
use k8s::{Fields, Value};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const JSON: (&str, &str) = ("content-type", "application/json");

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_select_nothing_are_refused() {
    let world = World::start().await;
    for (path, code) in [
        ("/api/v1/pods?fieldSelector=spec.nodeName%3Dx,metadata.namespace%3Ddefault", 200),
        ("/api/v1/pods?fieldSelector=spec.containers%3Dx", 400),
        ("/api/v1/pods?watch=1&timeoutSeconds=1&fieldSelector=spec.containers%3Dx", 400),
        ("/api/v1/namespaces/default/configmaps?fieldSelector=data.a%3Db", 400),
        ("/apis/events.k8s.io/v1/events?fieldSelector=regarding.kind%3DPod", 200),
        ("/apis/events.k8s.io/v1/events?fieldSelector=involvedObject.kind%3DPod", 400),
    ] {
        let (told, body) = world.send("GET", path, &[], b"").await;
        assert_eq!(told, code, "{path}: {body}");
        assert!(code == 200 || body.contains("field label not supported"), "{body}");
    }
    let (code, _) = world.send("DELETE", "/api/v1/namespaces/default/pods?fieldSelector=spec.x%3Dy", &[], b"").await;
    assert_eq!(code, 400, "or else all pods would go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_no_table() {
    let world = World::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = br#"{"spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}"#;
    let table = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    assert_eq!(world.send("POST", path, &[JSON, table], review).await.0, 406);
    let (code, body) = world.send("POST", path, &[JSON], review).await;
    assert_eq!((code, parsed(&body).flag("status.allowed")), (201, true), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn finalize_changes_the_finalizers_alone() {
    let world = World::start().await;
    let api = world.server().api();
    let made = api.create(NAMESPACE, json!({"metadata": {"name": "f"}})).await.expect("made");
    let mut wanted = Value::clone(&made);
    wanted.set("spec.finalizers", json!(["kubernetes", "example.com/own"]));
    wanted.set("status.phase", "Terminating");
    wanted.set("metadata.labels", json!({"a": "b"}));
    let path = "/api/v1/namespaces/f/finalize";
    let (code, body) = world.send("PUT", path, &[JSON], wanted.to_string().as_bytes()).await;
    assert_eq!(code, 200, "{body}");
    let now = parsed(&body);
    assert_eq!(now.at("spec.finalizers"), Some(&json!(["kubernetes", "example.com/own"])));
    assert_eq!((now.text("status.phase"), now.label("a"), now.uid()), ("Active", None, made.uid()));
    assert_eq!(world.send("PUT", path, &[JSON], wanted.to_string().as_bytes()).await.0, 409, "it is another version now");
    // The server takes its own finalizer only: the namespace stays until the other is gone too.
    api.delete(NAMESPACE, "", "f", &DeleteOptions::default()).await.expect("marked");
    api.finalize("f").await.expect("done");
    let left = api.get(NAMESPACE, "", "f").expect("held");
    assert_eq!(left.at("spec.finalizers"), Some(&json!(["example.com/own"])));
    let mut freed = Value::clone(&left);
    freed.set("spec.finalizers", json!([]));
    assert_eq!(world.send("PUT", path, &[JSON], freed.to_string().as_bytes()).await.0, 200);
    assert!(api.get(NAMESPACE, "", "f").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_service_has_both_forms_of_endpoints() {
    let world = World::start().await;
    for (path, kind) in [
        ("/api/v1/namespaces/default/endpoints/kubernetes", "Endpoints"),
        ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", "EndpointSlice"),
    ] {
        let (code, body) = world.send("GET", path, &[], b"").await;
        assert_eq!((code, parsed(&body).text("kind")), (200, kind), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_the_status_that_others_give_it() {
    let world = World::start().await;
    let api = world.server().api();
    let service = json!({"metadata": {"name": "s", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "loadBalancerClass": "example.com/vip", "ports": [{"port": 80}]}});
    api.create(SERVICE, service).await.expect("made");
    let path = "/api/v1/namespaces/default/services/s/status";
    let merge = ("content-type", "application/merge-patch+json");
    let patch = br#"{"metadata":{"annotations":{"a":"b"}},"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.1"}]}}}"#;
    assert_eq!(world.send("PATCH", path, &[merge], patch).await.0, 200);
    let (_, body) = world.send("GET", path, &[], b"").await;
    let mut now = parsed(&body);
    assert_eq!((now.annotation("a"), now.items("status.loadBalancer.ingress")[0].text("ip")), (Some("b"), "203.0.113.1"));
    now.set("status.conditions", json!([{"type": "T", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": null}]));
    let (code, body) = world.send("PUT", path, &[JSON], now.to_string().as_bytes()).await;
    assert_eq!((code, parsed(&body).items("status.conditions").len()), (200, 1), "{body}");
}

/// Everything that a WebSocket of a protocol says until it is closed.
async fn messages(world: &World, protocol: &'static str, path: &str) -> Vec<Vec<u8>> {
    let uri = format!("wss://localhost{path}");
    let mut request = uri.into_client_request().expect("a request");
    let token = format!("Bearer {}", world.token().await);
    for (name, value) in [("authorization", token.as_str()), ("sec-websocket-protocol", protocol), ("origin", "http://localhost")] {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    let (mut socket, answer) = tokio_tungstenite::client_async(request, world.dial().await).await.expect("switched");
    assert_eq!(answer.headers()["sec-websocket-protocol"], protocol);
    let mut told = Vec::new();
    while let Some(message) = socket.next().await {
        match message.expect("well closed") {
            Message::Binary(bytes) => told.push(bytes.to_vec()),
            Message::Close(_) => break,
            _ => {}
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_programs_come_over_plain_web_sockets() {
    let world = World::start().await;
    let pod = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    world.server().api().create(POD, pod).await.expect("made");
    let below = "/api/v1/namespaces/default/pods/p";
    let log = messages(&world, "binary.k8s.io", &format!("{below}/log?container=c")).await.concat();
    assert_eq!(String::from_utf8_lossy(&log), "p/c tail=None previous=false\n");
    let exec = format!("{below}/exec?stdout=1&stderr=1&container=c&command=echo&command=remote+test");
    let told = messages(&world, "channel.k8s.io", &exec).await;
    // Success is told by silence.
    assert!(told.iter().all(|message| message[0] == 1), "{told:?}");
    assert_eq!(told.iter().flat_map(|message| message[1..].to_vec()).collect::<Vec<u8>>(), b"remote test\n");
    let told = messages(&world, "channel.k8s.io", &format!("{below}/exec?stdout=1&container=c&command=false")).await;
    assert_eq!(told, [b"\x03command terminated with non-zero exit code: exit status 1".to_vec()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_are_not_answered() {
    let world = World::start().await;
    let token = world.token().await;
    for (token, origin, code) in [
        ("", "https://example.com", 403),
        ("", "http://localhost.example.com", 403),
        ("", "null", 403),
        ("", "http://localhost:8080", 200),
        (token.as_str(), "https://example.com", 200),
    ] {
        assert_eq!(world.send_as(token, "GET", "/version", &[("origin", origin)], b"").await.0, code, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pods_generation_counts_what_is_wanted_of_it() {
    let world = World::start().await;
    let api = world.server().api();
    let pod = json!({"metadata": {"name": "p", "namespace": "default", "generation": 100}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    assert_eq!(api.create(POD, pod).await.expect("made").int("metadata.generation"), Some(1));
    api.bind("default", "p", "", "n").await.expect("bound");
    let bound = api.get(POD, "default", "p").expect("there");
    assert_eq!((bound.text("spec.nodeName"), bound.int("metadata.generation")), ("n", Some(1)));
    let mut changed = Value::clone(&bound);
    changed.set("spec.activeDeadlineSeconds", 5_000);
    changed.set("metadata.generation", 7);
    assert_eq!(api.update(POD, changed).await.expect("changed").int("metadata.generation"), Some(2));
    let deleted = api.delete(POD, "default", "p", &DeleteOptions { grace_seconds: Some(60), ..DeleteOptions::default() }).await;
    assert_eq!(deleted.expect("marked").int("metadata.generation"), Some(3));
}

fn pod(class: &str) -> Value {
    json!({"metadata": {"generateName": "p-", "namespace": "default"},
        "spec": {"runtimeClassName": class, "containers": [{"name": "c", "image": "x"}]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_take_over_what_their_class_says() {
    let world = World::start().await;
    let api = world.server().api();
    let refused = api.create(POD, pod("none")).await.expect_err("no such class");
    assert_eq!((refused.code, refused.reason), (403, "Forbidden"), "{refused:?}");
    assert!(refused.message.contains("RuntimeClass \"none\" not found"), "{}", refused.message);
    let toleration = json!({"key": "k", "operator": "Exists"});
    let class = json!({"metadata": {"name": "heavy"}, "handler": "heavy", "overhead": {"podFixed": {"cpu": "10m", "memory": "1Mi"}},
        "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [toleration]}});
    api.create(RUNTIME_CLASS, class).await.expect("made");
    api.create(RUNTIME_CLASS, json!({"metadata": {"name": "light"}, "handler": "light"})).await.expect("made");
    let heavy = api.create(POD, pod("heavy")).await.expect("made");
    assert_eq!(heavy.at("spec.overhead"), Some(&json!({"cpu": "10m", "memory": "1Mi"})));
    assert_eq!(heavy.at("spec.nodeSelector"), Some(&json!({"a": "b"})));
    assert!(heavy.items("spec.tolerations").contains(&toleration));
    let light = api.create(POD, pod("light")).await.expect("made");
    assert_eq!(light.at("spec.overhead"), None);
    let mut own = pod("light");
    own.set("spec.overhead", json!({"cpu": "1"}));
    assert_eq!(api.create(POD, own).await.expect_err("not the class's").code, 403);
    let mut elsewhere = pod("heavy");
    elsewhere.set("spec.nodeSelector", json!({"a": "c"}));
    assert_eq!(api.create(POD, elsewhere).await.expect_err("both cannot be").code, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_and_classes_are_kept() {
    let world = World::start().await;
    let api = world.server().api();
    let template = json!({"metadata": {"name": "t", "namespace": "default"},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}});
    let made = api.create(POD_TEMPLATE, template).await.expect("made");
    assert_eq!(made.text("template.spec.restartPolicy"), "Always");
    let table = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let (_, body) = world.send("GET", "/api/v1/namespaces/default/podtemplates", &[table], b"").await;
    assert_eq!(parsed(&body)["rows"][0]["cells"], json!(["t", "c", "x", "a=b"]), "{body}");
    let class = json!({"metadata": {"name": "i"}, "spec": {"controller": "example.com/c"}});
    let mut class = Value::clone(&*api.create(INGRESS_CLASS, class).await.expect("made"));
    class.set("spec.controller", "example.com/other");
    assert_eq!(api.update(INGRESS_CLASS, class).await.expect_err("it is immutable").code, 422);
    let deleted = world.send("DELETE", "/apis/networking.k8s.io/v1/ingressclasses", &[], b"").await;
    assert_eq!(deleted.0, 200, "{}", deleted.1);
    assert!(api.get(INGRESS_CLASS, "", "i").is_none());
}
