//! What programs ask that kubectl does not: media types, selectors, subresources by hand.

use crate::common::World;
use apiserver::DeleteOptions;
use k8s::kinds::{INGRESS_CLASS, NAMESPACE, POD, POD_TEMPLATE, RUNTIME_CLASS, SERVICE};
use k8s::{Fields, Value};
use serde_json::json;

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
