//! What programs ask that kubectl does not: media types, selectors, subresources by hand.

use crate::common::World;
use apiserver::{DeleteOptions, PatchKind, Target, TokenWish};
use futures::StreamExt;
use k8s::kinds::{CONFIG_MAP, INGRESS_CLASS, NAMESPACE, POD, POD_TEMPLATE, REPLICATION_CONTROLLER, RUNTIME_CLASS, SECRET, SERVICE};
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

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_yaml() {
    let world = World::start().await;
    let yaml = ("content-type", "application/yaml");
    let maps = "/api/v1/namespaces/default/configmaps";
    let text = b"metadata:\n  name: y\ndata:\n  mode: '0644'\n  text: |\n    one\n    two\n";
    let (code, body) = world.send("POST", maps, &[yaml], text).await;
    assert_eq!((code, parsed(&body).text("data.text")), (201, "one\ntwo\n"), "{body}");
    let (code, body) = world.send("GET", &format!("{maps}/y"), &[("accept", "application/yaml")], b"").await;
    assert_eq!(code, 200);
    assert!(body.starts_with("apiVersion: v1\ndata:\n  mode: \"0644\"\n  text: \"one\\ntwo\\n\"\nkind: ConfigMap\n"), "{body}");
    // What was told is taken back as it is.
    let (code, again) = world.send("PUT", &format!("{maps}/y"), &[yaml, ("accept", "application/yaml")], body.as_bytes()).await;
    assert_eq!((code, again), (200, body));
    let applied = b"apiVersion: v1\nkind: ConfigMap\ndata:\n  b: c\n";
    let patch = ("content-type", "application/apply-patch+yaml");
    let (code, body) = world.send("PATCH", &format!("{maps}/z?fieldManager=m"), &[patch], applied).await;
    assert_eq!((code, parsed(&body).text("data.b")), (201, "c"), "{body}");
    let (code, body) = world.send("POST", maps, &[yaml], b"metadata: [unclosed\n").await;
    assert!(code == 400 && body.contains("yaml: line"), "{code} {body}");
    let (code, body) = world.send("POST", &format!("{maps}?fieldValidation=Strict"), &[yaml], b"metadata: {name: u}\nspecial: 1\n").await;
    assert!(code == 400 && body.contains("unknown field \\\"special\\\""), "{code} {body}");
    let (code, body) = world.send("GET", &format!("{maps}/none"), &[("accept", "application/yaml")], b"").await;
    assert!(code == 404 && body.contains("reason: NotFound\n"), "{code} {body}");
    let (code, _) = world.send("GET", &format!("{maps}?watch=1&timeoutSeconds=1"), &[("accept", "application/yaml")], b"").await;
    assert_eq!(code, 406, "changes are no YAML");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_is_patched_however_often_the_object_is_written() {
    let world = World::start().await;
    let api = world.server().api();
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let object = json!({"metadata": {"name": "r", "namespace": "default"}, "spec": {"replicas": 1, "template": template}});
    let made = api.create(REPLICATION_CONTROLLER, object).await.expect("made");
    assert_eq!(made.at("spec.selector"), Some(&json!({"a": "b"})), "the labels of its template");
    let writing = tokio::spawn(async move {
        for count in 0..200 {
            let target = Target::object(REPLICATION_CONTROLLER, "default", "r").below("status");
            api.patch(target, PatchKind::Merge, &json!({"status": {"replicas": count}})).await.expect("written");
        }
    });
    let merge = ("content-type", "application/merge-patch+json");
    let path = "/api/v1/namespaces/default/replicationcontrollers/r";
    for count in 1..20 {
        let patch = json!({"spec": {"replicas": count}}).to_string();
        let (code, body) = world.send("PATCH", &format!("{path}/scale"), &[merge], patch.as_bytes()).await;
        assert_eq!((code, parsed(&body).int("spec.replicas")), (200, Some(count)), "{body}");
    }
    writing.await.expect("written");
    let stale = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 1}}).to_string();
    assert_eq!(world.send("PATCH", &format!("{path}/scale"), &[merge], stale.as_bytes()).await.0, 409, "one that names a version");
    let (_, scale) = world.send("GET", &format!("{path}/scale"), &[], b"").await;
    assert_eq!(parsed(&scale).text("status.selector"), "a=b");
    // What it owns stays unless somebody says otherwise.
    let (code, body) = world.send("DELETE", path, &[], b"").await;
    assert_eq!((code, parsed(&body).at("metadata.finalizers")), (200, Some(&json!(["orphan"]))), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leaves_behind_what_its_new_type_does_not_know() {
    let world = World::start().await;
    let api = world.server().api();
    let service = json!({"metadata": {"name": "s", "namespace": "default"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    let made = api.create(SERVICE, service).await.expect("made");
    assert_eq!(made.text("spec.externalTrafficPolicy"), "Cluster");
    let mut external = Value::clone(&made);
    external.set("spec.type", "ExternalName");
    external.set("spec.externalName", "example.com");
    let external = api.update(SERVICE, external).await.expect("changed");
    for path in ["spec.externalTrafficPolicy", "spec.clusterIP", "spec.clusterIPs"] {
        assert!(external.at(path).is_none(), "{path}: {external}");
    }
    assert!(external.items("spec.ports")[0].at("nodePort").is_none(), "{external}");
    let mut local = Value::clone(&external);
    local.set("spec.externalTrafficPolicy", "Local");
    assert_eq!(api.update(SERVICE, local).await.expect_err("asked for now").code, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_selected_by_the_names_that_each_group_shows() {
    let world = World::start().await;
    let events = "/apis/events.k8s.io/v1/namespaces/default/events";
    let event = json!({"metadata": {"name": "e"}, "regarding": {"namespace": "default"}, "reportingController": "c", "reportingInstance": "i",
        "action": "Do", "reason": "Test", "type": "Normal", "eventTime": "2017-09-19T13:49:16.000000Z"});
    let (code, body) = world.send("POST", events, &[JSON], event.to_string().as_bytes()).await;
    assert_eq!(code, 201, "{body}");
    for (path, count) in [
        (format!("{events}?fieldSelector=reportingController%3Dc"), 1),
        (format!("{events}?fieldSelector=reportingController%3Dother"), 0),
        ("/api/v1/events?fieldSelector=source%3Dc,reportingComponent%3Dc".to_owned(), 1),
    ] {
        let (_, body) = world.send("GET", &path, &[], b"").await;
        assert_eq!(parsed(&body).items("items").len(), count, "{path}: {body}");
    }
    let (code, _) = world.send("DELETE", &format!("{events}?fieldSelector=reportingController%3Dc"), &[], b"").await;
    assert_eq!(code, 200);
    let (_, body) = world.send("GET", "/api/v1/events?fieldSelector=source%3Dc", &[], b"").await;
    assert!(parsed(&body).items("items").is_empty(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_s_token_lasts_as_long_as_the_secret() {
    let world = World::start().await;
    let api = world.server().api();
    let secret = json!({"metadata": {"name": "t", "namespace": "kube-system", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token"});
    let secret = api.create(SECRET, secret).await.expect("made");
    let _ = world.token().await;
    let bound = Some(("Secret".to_owned(), "t".to_owned(), secret.uid().to_owned()));
    let (token, _) = api.issue_token("kube-system", "default", &TokenWish { bound, ..TokenWish::default() }).expect("a token");
    assert_eq!(world.send_as(&token, "GET", "/api/v1/nodes", &[], b"").await.0, 200);
    let (other, _) = api.issue_token("kube-system", "default", &TokenWish::default()).expect("a token");
    assert_eq!(world.send_as(&other, "GET", "/api/v1/nodes", &[], b"").await.0, 401, "bound to nothing, it has ended");
    api.delete(SECRET, "kube-system", "t", &DeleteOptions::default()).await.expect("gone");
    assert_eq!(world.send_as(&token, "GET", "/api/v1/nodes", &[], b"").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_leaves_out_filled_in_tolerations_changes_none() {
    let world = World::start().await;
    let api = world.server().api();
    let pod = json!({"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let mut pod = Value::clone(&*api.create(POD, pod).await.expect("made"));
    assert_eq!(pod.items("spec.tolerations").len(), 2);
    pod.set("spec.tolerations", json!([{"key": "foo", "operator": "Exists"}]));
    let pod = api.update(POD, pod).await.expect("one more");
    assert_eq!((pod.items("spec.tolerations").len(), pod.int("metadata.generation")), (3, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_reached_at_an_address_that_the_host_has_later() {
    let world = World::start_at(&[[127, 200, 0, 1].into(), [10, 254, 253, 1].into()]).await;
    let port = world.server().address().port();
    let there = tokio::net::TcpStream::connect((std::net::Ipv4Addr::new(127, 200, 0, 1), port)).await;
    assert!(there.is_ok(), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_beginning_is_forgotten_goes_on_with_what_is_there() {
    let world = World::start().await;
    let api = world.server().api();
    let maps = "/api/v1/namespaces/default/configmaps";
    for name in ["a", "b", "c"] {
        api.create(CONFIG_MAP, json!({"metadata": {"name": name, "namespace": "default"}})).await.expect("made");
    }
    let (_, page) = world.send("GET", &format!("{maps}?limit=1"), &[], b"").await;
    let token = parsed(&page).text("metadata.continue").to_owned();
    // So many writes that the state of the first page is forgotten.
    let mut answer = (200, String::new());
    let much = "x".repeat(200_000);
    for round in 0..400 {
        for write in 0..20 {
            let patch = json!({"data": {"n": format!("{round}.{write}{much}")}});
            api.patch(Target::object(CONFIG_MAP, "default", "c"), PatchKind::Merge, &patch).await.expect("written");
        }
        answer = world.send("GET", &format!("{maps}?limit=1&continue={token}"), &[], b"").await;
        if answer.0 != 200 {
            break;
        }
    }
    assert_eq!((answer.0, parsed(&answer.1).text("reason")), (410, "Expired"), "{}", answer.1);
    let token = parsed(&answer.1).text("metadata.continue").to_owned();
    let (code, page) = world.send("GET", &format!("{maps}?limit=1&continue={token}"), &[], b"").await;
    let page = parsed(&page);
    assert_eq!((code, page.items("items")[0].name(), page.int("metadata.remainingItemCount")), (200, "b", Some(1)), "{page}");
    let (_, last) = world.send("GET", &format!("{maps}?limit=1&continue={}", page.text("metadata.continue")), &[], b"").await;
    assert_eq!((parsed(&last).items("items")[0].name(), parsed(&last).at("metadata.continue")), ("c", None), "{last}");
}
