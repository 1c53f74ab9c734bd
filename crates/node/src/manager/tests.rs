//! The whole node on fakes.

use super::*;
use crate::images::ImageError;
use crate::logs::LogOptions;
use crate::testing::{World, until};
use futures::StreamExt;
use k8s::kinds::{CONFIG_MAP, EVENT, POD};
use k8s::{Fields, Value};
use serde_json::json;
use std::time::Instant;

const UID: &str = "11111111-2222-3333-4444-555555555555";

fn pod(extra: Value) -> Value {
    let mut spec = json!({"nodeName": "wharf", "containers": [{"name": "c", "image": "i", "imagePullPolicy": "IfNotPresent"}]});
    spec.as_object_mut().expect("object").extend(extra.as_object().cloned().unwrap_or_default());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n", "name": "p", "uid": UID, "generation": 1}, "spec": spec})
}

async fn start(world: &World) -> NodeManager {
    let node = NodeManager::start(world.config.clone(), world.parts()).await;
    let told = node.clone();
    world.cluster.watch(move |change| told.notify(change));
    node
}

fn condition(world: &World, kind: &str) -> bool {
    world.cluster.pod("p").is_some_and(|pod| pod.condition(kind).is_some_and(|condition| condition.text("status") == "True"))
}

#[tokio::test]
async fn a_resize_is_carried_out_and_one_that_cannot_be_stands_in_the_status() {
    let world = World::new();
    let _node = start(&world).await;
    let with = |memory: &str| {
        let mut pod = pod(json!({}));
        pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": memory}, "requests": {"memory": memory}});
        pod
    };
    let put = |memory: &str| {
        let mut object = with(memory);
        object["status"] = world.cluster.pod("p").and_then(|pod| pod.at("status").cloned()).unwrap_or_default();
        world.cluster.put(POD, object);
    };
    let shown = || world.cluster.pod("p").map(|pod| pod.items("status.containerStatuses")[0].text("resources.limits.memory").to_owned());
    world.cluster.put(POD, with("64Mi"));
    until("ready", || condition(&world, "Ready")).await;
    assert_eq!(shown().as_deref(), Some("64Mi"));
    put("128Mi");
    until("resized", || shown().as_deref() == Some("128Mi")).await;
    let journal = world.journal.lock().expect("whole").clone();
    let updates: Vec<_> = journal.iter().filter(|line| line.starts_with("update")).map(String::as_str).collect();
    let (pod, own) = ("update pod Some(134217728)", "update c Some(134217728)");
    assert_eq!(updates, [pod, own, pod], "the pod first when there is more, and last when there is less");
    put("900Ti");
    until("refused", || condition(&world, "PodResizePending")).await;
    assert_eq!(shown().as_deref(), Some("128Mi"));
    put("128Mi");
    until("taken back", || !condition(&world, "PodResizePending")).await;
}

#[tokio::test]
async fn a_pod_lives_and_ends_in_order() {
    let world = World::new();
    let node = start(&world).await;
    let begun = Instant::now();
    world.cluster.put(POD, pod(json!({})));
    until("ready", || condition(&world, "Ready")).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(500), "{took:?}");
    let seen = world.cluster.pod("p").expect("there");
    assert_eq!(seen.text("status.phase"), "Running");
    assert_eq!(seen.text("status.podIP"), "127.0.0.1");
    assert_eq!(seen.items("status.containerStatuses")[0].text("imageID"), "sha256:i");
    let spec = world.runtime.specs.lock().expect("whole")[0].clone();
    assert_eq!(spec.args, ["/app"]);
    assert!(spec.env.contains(&"HOSTNAME=p".to_owned()));
    let writes = world.cluster.writes.lock().expect("whole").iter().filter(|kind| **kind == "Pod").count();
    assert!(writes <= 2, "statuses are coalesced: {writes}");

    world.cluster.delete_pod("p", 30);
    until("gone", || world.cluster.pod("p").is_none()).await;
    let said = world.said();
    let tail: Vec<&str> = said.iter().rev().take(4).rev().map(String::as_str).collect();
    assert_eq!(tail, ["withdraw 127.0.0.1", "signal c 15", &format!("remove {UID}"), &format!("detach {UID}")]);
    until("forgotten", || !world.config.folders(UID).base().exists()).await;
    assert!(node.exec("n", "p", None, &Default::default()).await.is_err());
    let told: Vec<String> = world.cluster.list(EVENT, "n").iter().map(|event| event.text("reason").to_owned()).collect();
    for reason in ["Pulled", "Created", "Started", "Killing"] {
        assert!(told.contains(&reason.to_owned()), "{reason}: {told:?}");
    }
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changed() {
    let world = World::new();
    let _node = start(&world).await;
    world.cluster.put(POD, pod(json!({})));
    until("ready", || condition(&world, "Ready")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let version = world.cluster.pod("p").expect("there").resource_version().to_owned();
    world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "other"}}));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.cluster.pod("p").expect("there").resource_version(), version);
}

#[tokio::test]
async fn a_new_process_adopts_what_runs_and_removes_strangers() {
    let world = World::new();
    let node = start(&world).await;
    world.cluster.put(POD, pod(json!({"initContainers": [{"name": "i", "image": "i"}]})));
    until("init runs", || world.runtime.running(UID, "i").is_some()).await;
    world.runtime.end(UID, "i", 0);
    until("ready", || condition(&world, "Ready")).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    world.cluster.watch(|_| {});
    node.stop().await;
    let version = world.cluster.pod("p").expect("there").resource_version().to_owned();
    let stranger = "99999999-2222-3333-4444-555555555555";
    let spec = |id: &str| runtime::PodSpec {
        id: id.into(),
        name: "n/x".into(),
        hostname: "x".into(),
        folder: "/none".into(),
        netns: None,
        resources: Default::default(),
        cgroup: "x".into(),
        sysctls: Default::default(),
        share_processes: false,
        shm_bytes: 0,
    };
    for id in [stranger, "build-step-1"] {
        world.runtime.create_pod(&spec(id)).await.expect("made");
    }
    world.journal.lock().expect("whole").clear();

    let node = start(&world).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.said(), [format!("remove {stranger}"), format!("detach {stranger}")], "what runs is left alone");
    assert_eq!(world.cluster.pod("p").expect("there").resource_version(), version, "nothing changed, nothing is written");

    // An exit while no node was there is seen by the next one.
    world.cluster.watch(|_| {});
    node.stop().await;
    world.runtime.end(UID, "c", 7);
    let _node = start(&world).await;
    until("restarted", || world.runtime.running(UID, "c") == Some(1)).await;
    let last = || world.cluster.pod("p").and_then(|pod| pod.items("status.containerStatuses")[0].int("lastState.terminated.exitCode"));
    until("told", || last() == Some(7)).await;
}

#[tokio::test]
async fn a_lost_shim_is_replaced() {
    let world = World::new();
    let _node = start(&world).await;
    world.cluster.put(POD, pod(json!({})));
    until("ready", || condition(&world, "Ready")).await;
    world.runtime.lose(UID);
    until("again", || world.runtime.running(UID, "c") == Some(1) && condition(&world, "Ready")).await;
    let said = world.said();
    assert!(said.contains(&format!("remove {UID}")));
    let count = || world.cluster.pod("p").and_then(|pod| pod.items("status.containerStatuses")[0].int("restartCount"));
    until("counted", || count() == Some(1)).await;
}

#[tokio::test]
async fn what_is_missing_is_said_and_taken_up_when_it_comes() {
    let world = World::new();
    let node = start(&world).await;
    let missing = ImageError::NeverPull("i".into());
    world.images.missing.lock().expect("whole").insert("i".into(), missing);
    let env = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]);
    world.cluster.put(
        POD,
        pod(json!({"containers": [{"name": "c", "image": "i", "env": env}],
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}]})),
    );
    let waiting = |field: &str| {
        let pod = world.cluster.pod("p")?;
        Some(pod.items("status.containerStatuses").first()?.text(&format!("state.waiting.{field}")).to_owned())
    };
    let why = "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found";
    until("volume", || waiting("message").as_deref() == Some(why)).await;
    world.cluster.put(k8s::kinds::SECRET, json!({"metadata": {"namespace": "n", "name": "s"}, "data": {"k": "dg=="}}));
    until("image", || waiting("reason").as_deref() == Some("ErrImageNeverPull")).await;
    world.images.missing.lock().expect("whole").clear();
    node.notify(Change::ImagesChanged);
    until("config", || waiting("message").as_deref() == Some("configmap \"m\" not found")).await;
    assert_eq!(waiting("reason").as_deref(), Some("CreateContainerConfigError"));
    world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "m"}, "data": {"k": "v"}}));
    until("ready", || condition(&world, "Ready")).await;
    assert!(world.runtime.specs.lock().expect("whole")[0].env.contains(&"A=v".to_owned()));
}

#[tokio::test]
async fn exec_probes_decide_readiness_and_liveness() {
    let world = World::new();
    *world.runtime.exec_code.lock().expect("whole") = 1;
    let _node = start(&world).await;
    let exec = json!({"exec": {"command": ["x"]}, "periodSeconds": 1});
    world.cluster.put(POD, pod(json!({"containers": [{"name": "c", "image": "i", "readinessProbe": exec}]})));
    until("running", || world.runtime.running(UID, "c").is_some()).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!condition(&world, "Ready"));
    *world.runtime.exec_code.lock().expect("whole") = 0;
    let begun = Instant::now();
    until("ready", || condition(&world, "Ready")).await;
    assert!(begun.elapsed() < Duration::from_millis(400), "asked often until the first success");
}

#[tokio::test]
async fn a_log_is_followed_over_rotation_to_the_containers_end() {
    let world = World::new();
    let node = start(&world).await;
    world.cluster.put(POD, pod(json!({"restartPolicy": "Never"})));
    until("ready", || condition(&world, "Ready")).await;
    let path = world.config.log_file(("n", "p", UID), "c", 0);
    let line = |n: u32| format!("2026-01-01T00:00:{n:02}.000000000Z stdout F {n}\n");
    std::fs::write(&path, line(1)).expect("written");
    let mut stream = node.logs("n", "p", None, LogOptions { follow: true, ..Default::default() }).expect("there");
    let next = async |stream: &mut crate::logs::LogStream| -> Option<String> {
        let chunk = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.expect("in time")?;
        Some(String::from_utf8(chunk.expect("read").to_vec()).expect("text"))
    };
    assert_eq!(next(&mut stream).await.as_deref(), Some("1\n"));
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("open");
    file.write_all(line(2).as_bytes()).expect("written");
    assert_eq!(next(&mut stream).await.as_deref(), Some("2\n"));
    file.write_all(line(3).as_bytes()).expect("written");
    std::fs::rename(&path, path.with_extension("log.1")).expect("renamed");
    std::fs::write(&path, line(4)).expect("written");
    let mut rest = String::new();
    while rest != "3\n4\n" {
        rest += &next(&mut stream).await.expect("more");
    }
    std::fs::write(&path, line(4) + &line(5)).expect("written");
    world.runtime.end(UID, "c", 0);
    let mut rest = String::new();
    while let Some(more) = next(&mut stream).await {
        rest += &more;
    }
    assert_eq!(rest, "5\n", "what was written before the end is read before the stream ends");
    until("succeeded", || world.cluster.pod("p").is_some_and(|pod| pod.text("status.phase") == "Succeeded")).await;
    let whole: Vec<_> = node.logs("n", "p", Some("c"), LogOptions::default()).expect("there").collect().await;
    assert_eq!(whole.len(), 2, "both files, after the end too");
    assert!(matches!(node.logs("n", "p", Some("x"), LogOptions::default()), Err(crate::StreamError::BadRequest(_))));
    assert!(matches!(node.logs("n", "q", None, LogOptions::default()), Err(crate::StreamError::NotFound(_))));
}

#[tokio::test]
async fn a_termination_message_reaches_the_status() {
    let world = World::new();
    let _node = start(&world).await;
    world.cluster.put(POD, pod(json!({"restartPolicy": "Never"})));
    until("ready", || condition(&world, "Ready")).await;
    std::fs::write(world.config.folders(UID).message("c", 0), "the disk is full").expect("written");
    world.runtime.end(UID, "c", 1);
    let ended = || world.cluster.pod("p").map(|pod| pod.items("status.containerStatuses")[0].text("state.terminated.message").to_owned());
    until("told", || ended().as_deref() == Some("the disk is full")).await;
    until("failed", || world.cluster.pod("p").is_some_and(|pod| pod.text("status.phase") == "Failed")).await;
}

#[tokio::test]
async fn a_pull_holds_up_nobody_else_and_secrets_are_told() {
    let mut world = World::new();
    world.images = Arc::new(crate::testing::FakeImages { gate: Some(tokio::sync::Semaphore::new(0)), ..Default::default() });
    world.images.elsewhere.lock().expect("whole").insert("far".into());
    let _node = start(&world).await;
    let mut far = pod(json!({"containers": [{"name": "c", "image": "far"}], "imagePullSecrets": [{"name": "s"}, {"name": "none"}]}));
    (far["metadata"]["name"], far["metadata"]["uid"]) = (json!("q"), json!("22222222-2222-3333-4444-555555555555"));
    let secret = json!({"metadata": {"namespace": "n", "name": "s"}, "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": "e30="}});
    world.cluster.put(k8s::kinds::SECRET, secret.clone());
    world.cluster.put(POD, far);
    let asked = || world.images.asked.lock().expect("whole").clone();
    until("asked", || asked() == ["far [s]"]).await;
    world.cluster.put(POD, pod(json!({})));
    until("the other is ready", || condition(&world, "Ready")).await;
    let of_q = || world.cluster.pod("q").and_then(|pod| pod.items("status.containerStatuses").first().cloned()).unwrap_or_default();
    until("written", || of_q().text("state.waiting.reason") == "ContainerCreating").await;
    world.images.missing.lock().expect("whole").insert("far".into(), ImageError::Pull("denied".into()));
    world.images.gate.as_ref().expect("one").add_permits(1);
    until("failed", || of_q().text("state.waiting.reason") == "ErrImagePull").await;
    world.images.missing.lock().expect("whole").clear();
    world.images.gate.as_ref().expect("one").add_permits(1);
    world.cluster.put(k8s::kinds::SECRET, secret);
    until("running", || of_q().at("state.running").is_some()).await;
    assert_eq!(of_q().text("imageID"), "registry/far@sha256:1");
    assert_eq!(asked().len(), 2, "a secret that changed ends the back-off");
    let events = || world.cluster.list(EVENT, "n");
    let told = |reason: &str| events().iter().find(|event| event.text("reason") == reason).map(|event| event.text("message").to_owned());
    let pulled = "Successfully pulled image \"far\" in 1.204s (1.3s including waiting). Image size: 7 bytes.";
    let of_q_pulled = || events().iter().any(|event| event.text("message") == pulled);
    until("told", of_q_pulled).await;
    assert!(told("FailedToRetrieveImagePullSecret").expect("told").contains("`none` (there is no such Secret)"));
    assert_eq!(told("Pulling").as_deref(), Some("Pulling image \"far\""));
}
