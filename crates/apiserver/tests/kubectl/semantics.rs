//! What clients rely on beyond single commands: versions, pages, watches, quotas, addresses, rights, restarts.

use crate::common::{World, has_kubectl};
use apiserver::{DeleteOptions, PatchKind, Target, TokenWish};
use k8s::kinds::{CONFIG_MAP, DEPLOYMENT, EVENT, LIMIT_RANGE, NAMESPACE, PERSISTENT_VOLUME_CLAIM, POD, RESOURCE_QUOTA, SECRET, SERVICE};
use k8s::{Fields, Value};
use serde_json::{Value as Json, json};
use std::time::Duration;

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "labels": {"n": name}}, "data": {"a": "b"}})
}

fn pod(name: &str, resources: Json) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]}})
}

async fn raw(world: &World, path: &str) -> Vec<Json> {
    let text = world.kubectl_in(&["get", "--raw", path], "").await;
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_have_versions_and_nothing_changes_without_one() {
    let world = World::start().await;
    let api = world.server().api();
    let made = api.create(CONFIG_MAP, map("a")).await.expect("made");
    let again = api.create(CONFIG_MAP, map("a")).await.expect_err("there");
    assert_eq!((again.code, again.reason, again.message.as_str()), (409, "AlreadyExists", "configmaps \"a\" already exists"));
    let same = api.update(CONFIG_MAP, (*made).clone()).await.expect("updated");
    assert_eq!(same.resource_version(), made.resource_version());
    let mut changed = (*made).clone();
    changed.set("data.a", "c");
    let new = api.update(CONFIG_MAP, changed.clone()).await.expect("updated");
    assert_ne!(new.resource_version(), made.resource_version());
    let stale = api.update(CONFIG_MAP, changed).await.expect_err("stale");
    assert_eq!((stale.code, stale.reason), (409, "Conflict"));
    let other = DeleteOptions { uid: Some("other".to_owned()), ..DeleteOptions::default() };
    assert_eq!(api.delete(CONFIG_MAP, "default", "a", &other).await.expect_err("another").code, 409);
    assert_eq!(
        api.create(CONFIG_MAP, json!({"metadata": {"name": "a", "namespace": "nowhere"}})).await.expect_err("no namespace").code,
        404
    );
    let generated = json!({"metadata": {"generateName": "g-", "namespace": "default"}});
    let generated = api.create(CONFIG_MAP, generated).await.expect("made");
    assert!(generated.name().starts_with("g-") && generated.name().len() == 7);
    let mut patches = Vec::new();
    for index in 0..16 {
        let (api, patch) = (api.clone(), json!({"data": {format!("k{index}"): "v"}}));
        patches.push(tokio::spawn(async move { api.patch(Target::object(CONFIG_MAP, "default", "a"), PatchKind::Merge, &patch).await }));
    }
    for patch in patches {
        patch.await.expect("ran").expect("patched, however many came between");
    }
    let all = api.get(CONFIG_MAP, "default", "a").expect("there");
    assert_eq!(all.at("data").and_then(Json::as_object).map(serde_json::Map::len), Some(17));
}

#[tokio::test(flavor = "multi_thread")]
async fn ephemeral_containers_and_resources_have_ways_of_their_own() {
    let world = World::start().await;
    let api = world.server().api();
    api.create(POD, pod("p", json!({"limits": {"memory": "64Mi"}}))).await.expect("made");
    let target = |below: &str| Target::object(POD, "default", "p").below(below);
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "x"}], "priority": 7}});
    let plain = api.patch(Target::object(POD, "default", "p"), PatchKind::Strategic, &debug).await.expect_err("not this way");
    assert_eq!(plain.code, 422);
    let changed = api.patch(target("ephemeralcontainers"), PatchKind::Strategic, &debug).await.expect("added");
    assert_eq!((changed.items("spec.ephemeralContainers").len(), changed.int("metadata.generation")), (1, Some(2)));
    assert_ne!(changed.int("spec.priority"), Some(7), "and nothing else");
    let more = json!({"spec": {"ephemeralContainers": [{"name": "more", "image": "x"}], "containers": [{"name": "c", "image": "other"}]}});
    let changed = api.patch(target("ephemeralcontainers"), PatchKind::Strategic, &more).await.expect("one more");
    assert_eq!(changed.items("spec.ephemeralContainers").len(), 2);
    let less = json!({"spec": {"ephemeralContainers": []}});
    assert_eq!(api.patch(target("ephemeralcontainers"), PatchKind::Merge, &less).await.expect_err("they stay").code, 422);

    let wanted = |memory: &str| json!({"spec": {"containers": [{"name": "c", "image": "y", "resources": {"limits": {"memory": memory}, "requests": {"memory": memory}}}]}});
    assert_eq!(
        api.patch(Target::object(POD, "default", "p"), PatchKind::Strategic, &wanted("1Gi")).await.expect_err("not this way").code,
        422
    );
    let changed = api.patch(target("resize"), PatchKind::Strategic, &wanted("1Gi")).await.expect("resized");
    let container = &changed.items("spec.containers")[0];
    assert_eq!((container.text("resources.limits.memory"), container.text("image")), ("1Gi", "x"), "and nothing else");
    let gone = json!({"spec": {"containers": [{"name": "c", "resources": null}]}});
    assert_eq!(api.patch(target("resize"), PatchKind::Strategic, &gone).await.expect_err("limits stay").code, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_everything_and_watches_go_on() {
    let mut world = World::start().await;
    let api = world.server().api();
    let made = api.create(CONFIG_MAP, map("a")).await.expect("made");
    let secret = json!({"metadata": {"name": "s", "namespace": "default"}, "stringData": {"pw": "hunter2"}});
    api.create(SECRET, secret).await.expect("made");
    let (token, _) = api.issue_token("default", "default", &TokenWish { seconds: 3_600, ..TokenWish::default() }).expect("a token");
    let since = api.revision();
    api.create(CONFIG_MAP, map("b")).await.expect("made");
    drop(api);
    world.server.take().expect("runs").drain(Duration::from_secs(5)).await;
    world.open().await;
    let api = world.server().api();
    assert_eq!(*api.get(CONFIG_MAP, "default", "a").expect("kept"), *made);
    assert_eq!(api.get(SECRET, "default", "s").expect("kept").text("data.pw"), "aHVudGVyMg==");
    let mut changes = api.watch(Some(CONFIG_MAP), since).expect("still known");
    let (change, _, object) = changes.next().await.expect("told");
    assert_eq!((change, object.name()), (apiserver::Change::Added, "b"));
    assert_eq!(token.split('.').count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_of_one_state_and_by_selectors() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let api = world.server().api();
    for index in 0..10 {
        api.create(CONFIG_MAP, map(&format!("m{index}"))).await.expect("made");
    }
    let base = "/api/v1/namespaces/default/configmaps";
    let first = raw(&world, &format!("{base}?limit=4")).await.remove(0);
    assert_eq!((first.items("items").len(), first.int("metadata.remainingItemCount")), (4, Some(6)));
    api.delete(CONFIG_MAP, "default", "m5", &DeleteOptions::default()).await.expect("gone");
    let second = raw(&world, &format!("{base}?limit=100&continue={}", first.text("metadata.continue"))).await.remove(0);
    let names: Vec<&str> = second.items("items").iter().map(|item| item.name()).collect();
    assert_eq!(names, ["m4", "m5", "m6", "m7", "m8", "m9"], "the state of the first page");
    assert_eq!(second.text("metadata.resourceVersion"), first.text("metadata.resourceVersion"));
    let some = raw(&world, &format!("{base}?labelSelector=n+in+(m1,m2)")).await.remove(0);
    assert_eq!(some.items("items").len(), 2);
    let one = raw(&world, &format!("{base}?fieldSelector=metadata.name%3Dm3")).await.remove(0);
    assert_eq!(one.items("items").len(), 1);
    let (good, told) = world.try_kubectl(&["get", "--raw", &format!("{base}?labelSelector=a+b")], "").await;
    assert!(!good && told.contains("unable to parse"), "{told}");
    let (good, told) = world.try_kubectl(&["get", "--raw", &format!("{base}?continue=nonsense")], "").await;
    assert!(!good && told.contains("continue key is not valid"), "{told}");
    let (good, told) = world.try_kubectl(&["get", "--raw", &format!("{base}?resourceVersion=99999999")], "").await;
    assert!(!good && told.contains("Too large resource version"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_begin_where_they_are_asked_to() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let api = world.server().api();
    api.create(CONFIG_MAP, map("a")).await.expect("made");
    let since = api.revision();
    api.create(CONFIG_MAP, map("b")).await.expect("made");
    let relabel = json!({"metadata": {"labels": {"n": "x"}}});
    api.patch(Target::object(CONFIG_MAP, "default", "a"), PatchKind::Merge, &relabel).await.expect("patched");
    api.delete(CONFIG_MAP, "default", "b", &DeleteOptions::default()).await.expect("gone");
    let base = "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1";
    let told = |events: &[Json]| {
        events.iter().map(|event| format!("{} {}", event.text("type"), event.text("object.metadata.name"))).collect::<Vec<_>>()
    };
    let events = raw(&world, &format!("{base}&resourceVersion={since}")).await;
    assert_eq!(told(&events), ["ADDED b", "MODIFIED a", "DELETED b"]);
    let gone: u64 = events[2].text("object.metadata.resourceVersion").parse().expect("a number");
    assert_eq!(gone, api.revision(), "a delete is told with its own revision");
    let selected = raw(&world, &format!("{base}&resourceVersion={since}&labelSelector=n%3Da")).await;
    assert_eq!(told(&selected), ["DELETED a"], "it ceased to match");
    let present = raw(&world, &format!("{base}&allowWatchBookmarks=true")).await;
    assert_eq!(told(&present), ["ADDED a", "BOOKMARK "]);
    let list = raw(&world, &format!("{base}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")).await;
    assert_eq!(list[1].at("object.metadata.annotations").and_then(|found| found.member("k8s.io/initial-events-end")), Some(&json!("true")));
    let (good, why) = world.try_kubectl(&["get", "--raw", &format!("{base}&sendInitialEvents=true")], "").await;
    assert!(!good && why.contains("resourceVersionMatch"), "{why}");
    for _ in 0..600 {
        let big = json!({"data": {"a": format!("{}{}", base::ids::suffix(8), "x".repeat(8_000))}});
        api.patch(Target::object(CONFIG_MAP, "default", "a"), PatchKind::Merge, &big).await.expect("patched");
    }
    let (good, why) = world.try_kubectl(&["get", "--raw", &format!("{base}&resourceVersion={since}")], "").await;
    assert!(!good && why.contains("too old resource version"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_hold_however_many_come_at_once() {
    let world = World::start().await;
    let api = world.server().api();
    let quota = json!({"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"pods": "2", "requests.memory": "1Gi"}}});
    api.create(RESOURCE_QUOTA, quota).await.expect("made");
    let silent = api.create(POD, pod("silent", json!({}))).await.expect_err("says nothing of memory");
    assert!(silent.message.contains("failed quota: q: must specify requests.memory for: c"), "{silent}");
    let mut creating = Vec::new();
    for index in 0..12 {
        let api = api.clone();
        creating
            .push(tokio::spawn(async move { api.create(POD, pod(&format!("p{index}"), json!({"requests": {"memory": "64Mi"}}))).await }));
    }
    let mut refused = Vec::new();
    for made in creating {
        refused.extend(made.await.expect("ran").err());
    }
    assert_eq!((refused.len(), api.list(POD, None).len()), (10, 2));
    assert!(refused[0].message.contains("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"), "{}", refused[0]);
    let quota = api.get(RESOURCE_QUOTA, "default", "q").expect("there");
    assert_eq!(quota.at("status.used"), Some(&json!({"pods": "2", "requests.memory": "128Mi"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_ranges_fill_in_and_refuse() {
    let world = World::start().await;
    let api = world.server().api();
    let range = json!({"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": [
        {"type": "Container", "default": {"memory": "128Mi"}, "defaultRequest": {"memory": "64Mi"}, "max": {"memory": "256Mi"}}]}});
    api.create(LIMIT_RANGE, range).await.expect("made");
    let made = api.create(POD, pod("a", json!({}))).await.expect("made");
    assert_eq!(
        made.items("spec.containers")[0].at("resources"),
        Some(&json!({"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}))
    );
    assert_eq!(made.text("status.qosClass"), "Burstable");
    let refused = api.create(POD, pod("b", json!({"limits": {"memory": "1Gi"}}))).await.expect_err("too much");
    assert!(refused.message.contains("maximum memory usage per Container is 256Mi, but limit is 1Gi"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_addresses_and_ports_of_their_own() {
    let world = World::start().await;
    let api = world.server().api();
    let service = |name: &str, spec: Json| json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
    let ports = json!([{"port": 80}]);
    let first =
        api.create(SERVICE, service("a", json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 32000}]}))).await.expect("made");
    assert!(first.text("spec.clusterIP").starts_with("10.43."));
    let taken = api
        .create(SERVICE, service("b", json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 32000}]})))
        .await
        .expect_err("taken");
    assert!(taken.message.contains("spec.ports[0].nodePort: Invalid value: 32000: provided port is already allocated"), "{taken}");
    let same =
        api.create(SERVICE, service("c", json!({"clusterIP": first.text("spec.clusterIP"), "ports": ports}))).await.expect_err("taken");
    assert!(same.message.contains("provided IP is already allocated"), "{same}");
    let outside = api.create(SERVICE, service("c", json!({"clusterIP": "10.99.0.1", "ports": ports}))).await.expect_err("outside");
    assert!(outside.message.contains("not in the valid range"), "{outside}");
    let headless = api.create(SERVICE, service("d", json!({"clusterIP": "None", "ports": ports}))).await.expect("made");
    assert_eq!(headless.text("spec.clusterIP"), "None");
    let mut creating = Vec::new();
    for index in 0..20 {
        let (api, service) = (api.clone(), service(&format!("n{index}"), json!({"type": "NodePort", "ports": ports})));
        creating.push(tokio::spawn(async move { api.create(SERVICE, service).await }));
    }
    let mut addresses = std::collections::BTreeSet::new();
    for made in creating {
        let made = made.await.expect("ran").expect("made");
        addresses.insert((made.text("spec.clusterIP").to_owned(), 0));
        addresses.insert((String::new(), made.items("spec.ports")[0].int("nodePort").expect("a port")));
    }
    assert_eq!(addresses.len(), 40, "no two alike");
    let mut update = (*first).clone();
    update.set("spec.clusterIP", Json::Null);
    update.set("spec.clusterIPs", Json::Null);
    update["spec"]["ports"][0]["nodePort"] = json!(0);
    update.set("metadata.labels", json!({"x": "y"}));
    let kept = api.update(SERVICE, update).await.expect("updated");
    assert_eq!((kept.text("spec.clusterIP"), kept.items("spec.ports")[0].int("nodePort")), (first.text("spec.clusterIP"), Some(32000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_get_what_others_say_about_them() {
    let world = World::start().await;
    let api = world.server().api();
    let made = api.create(POD, pod("p", json!({}))).await.expect("made");
    assert_eq!(
        (made.text("spec.serviceAccountName"), made.text("status.phase"), made.int("spec.priority")),
        ("default", "Pending", Some(0))
    );
    assert!(made.items("spec.volumes").iter().any(|volume| volume.text("name").starts_with("kube-api-access-")));
    let mut wrong = pod("q", json!({}));
    wrong.set("spec.serviceAccountName", "none");
    assert_eq!(api.create(POD, wrong).await.expect_err("no account").code, 403);
    let claim = json!({"metadata": {"name": "c", "namespace": "default"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    assert_eq!(api.create(PERSISTENT_VOLUME_CLAIM, claim).await.expect("made").text("spec.storageClassName"), "local");
    api.bind("default", "p", made.uid(), "wharf").await.expect("bound");
    assert_eq!(api.bind("default", "p", made.uid(), "other").await.expect_err("bound already").code, 409);
    let deployment = json!({"metadata": {"name": "d", "namespace": "default"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
    let made = api.create(DEPLOYMENT, deployment).await.expect("made");
    let mut status = (*made).clone();
    status.set("status", json!({"replicas": 1, "observedGeneration": 1}));
    status.set("spec.replicas", 9);
    let updated = api.update_status(DEPLOYMENT, status).await.expect("updated");
    assert_eq!(
        (updated.int("status.replicas"), updated.int("spec.replicas"), updated.int("metadata.generation")),
        (Some(1), Some(1), Some(1))
    );
    let mut spec = (*updated).clone();
    spec.set("spec.replicas", 3);
    spec.set("status", json!({"replicas": 77}));
    let updated = api.update(DEPLOYMENT, spec).await.expect("updated");
    assert_eq!(
        (updated.int("status.replicas"), updated.int("spec.replicas"), updated.int("metadata.generation")),
        (Some(1), Some(3), Some(2))
    );
    let uid = api.get(POD, "default", "p").expect("there").uid().to_owned();
    let event = json!({"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default", "uid": uid},
        "reason": "Started", "message": "it runs", "type": "Normal"});
    api.create(EVENT, event).await.expect("made");
    if has_kubectl() {
        let told = world.kubectl("describe pod p").await;
        assert!(told.contains("it runs"), "{told}");
        let shown = raw(&world, "/apis/events.k8s.io/v1/namespaces/default/events/e").await.remove(0);
        assert_eq!((shown.text("note"), shown.text("regarding.name"), shown.text("apiVersion")), ("it runs", "p", "events.k8s.io/v1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_when_it_is_finalized() {
    let world = World::start().await;
    let api = world.server().api();
    api.create(NAMESPACE, json!({"metadata": {"name": "n"}})).await.expect("made");
    api.delete(NAMESPACE, "", "n", &DeleteOptions::default()).await.expect("marked");
    assert_eq!(api.get(NAMESPACE, "", "n").expect("held").text("status.phase"), "Terminating");
    api.finalize("n").await.expect("let go");
    assert!(api.get(NAMESPACE, "", "n").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_have_the_rights_of_their_roles_and_give_no_others() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    world.kubectl("create serviceaccount robot").await;
    world.kubectl("create role reader --verb=get,list,create --resource=configmaps").await;
    world
        .kubectl(
            "create role binder --verb=create,update --resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io",
        )
        .await;
    for role in ["reader", "binder"] {
        world.kubectl(&format!("create rolebinding {role} --role={role} --serviceaccount=default:robot")).await;
    }
    let token = world.kubectl("create token robot").await.trim().to_owned();
    let address = format!("https://{}", world.server().address());
    let as_robot = |args: &str| {
        let line = format!("--kubeconfig=/dev/null --server={address} --insecure-skip-tls-verify --token={token} -n default {args}");
        let world = &world;
        async move { world.try_kubectl(&line.split_whitespace().collect::<Vec<_>>(), "").await }
    };
    assert!(as_robot("get configmaps").await.0);
    let (good, told) = as_robot("get secrets").await;
    assert!(!good && told.contains(r#"User "system:serviceaccount:default:robot" cannot list resource "secrets""#), "{told}");
    assert!(as_robot("create role same --verb=get --resource=configmaps").await.0, "no more than it has");
    let (good, told) = as_robot("create role more --verb=get --resource=secrets").await;
    assert!(!good && told.contains("permissions not currently held"), "{told}");
    let (good, told) = as_robot("create rolebinding all --clusterrole=cluster-admin --serviceaccount=default:robot").await;
    assert!(!good && told.contains("permissions not currently held"), "{told}");
    let (good, told) = as_robot("get pods --as=admin").await;
    assert!(!good && told.contains("cannot impersonate"), "{told}");
    world.kubectl("delete serviceaccount robot").await;
    let (good, told) = as_robot("get configmaps").await;
    assert!(!good && (told.contains("Unauthorized") || told.contains("must be logged in")), "{told}");
}
