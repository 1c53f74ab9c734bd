//! What real pods must do.

use crate::world::World;
use futures::{FutureExt, StreamExt};
use k8s::kinds::{CONFIG_MAP, EVENT, SECRET};
use k8s::{Fields, Value};
use node::{Cluster, LogOptions};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs all of them; false when one failed.
pub async fn all() -> bool {
    let mut world = World::new().await;
    let run = std::panic::AssertUnwindSafe(each(&mut world)).catch_unwind();
    let passed = run.await.is_ok();
    world.end(!passed).await;
    passed
}

async fn each(world: &mut World) {
    macro_rules! run {
        ($($name:ident),*) => {$(
            $name(world).await;
            println!("test {} ... ok", stringify!($name));
        )*};
    }
    run!(serves_and_is_ready_soon, sees_its_volumes, restarts_with_its_reason, is_killed_for_its_memory, is_forwarded_to_and_logged);
    run!(is_adopted, survives_its_shim, is_held_to_its_user, stops_in_order, idles_cheaply, come_together);
}

/// Sleeps of the node's thread so far.
fn sleeps() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("listed").flatten();
    let status = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter(|status| status.starts_with("Name:\tnode\n"));
    let count = |status: String| status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok());
    status.filter_map(count).sum()
}

async fn idles_cheaply(world: &mut World) {
    let http = json!({"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}});
    world.put("idle", spec("exec httpd -f -p 8080 -h /www", http));
    world.until("ready", |world| world.is_ready("idle")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = sleeps();
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("the node's thread woke {:.1} times a probe (one HTTP probe a second)", (sleeps() - before) as f64 / 5.0);
    remove(world, "idle").await;
}

async fn come_together(world: &mut World) {
    let tcp = json!({"readinessProbe": {"tcpSocket": {"port": 8080}}});
    let begun = Instant::now();
    for index in 0..10 {
        world.put(&format!("many-{index}"), spec("exec httpd -f -p 8080 -h /www", tcp.clone()));
    }
    world.until("all ready", |world| (0..10).all(|index| world.is_ready(&format!("many-{index}")))).await;
    println!("10 pods created at once, all ready: {:?}", begun.elapsed());
    for index in 0..10 {
        world.cluster.delete_pod(&format!("many-{index}"), 1);
    }
    world.until("all gone", |world| (0..10).all(|index| world.pod(&format!("many-{index}")).is_null())).await;
}

fn spec(script: &str, extra: Value) -> Value {
    let mut container = json!({"name": "c", "image": "busybox", "imagePullPolicy": "Never", "args": [script]});
    container.as_object_mut().expect("object").extend(extra.as_object().cloned().unwrap_or_default());
    json!({"nodeName": "wharf", "terminationGracePeriodSeconds": 5, "containers": [container]})
}

async fn remove(world: &World, name: &str) -> Duration {
    world.cluster.delete_pod(name, 1);
    world.until("gone", |world| world.pod(name).is_null()).await
}

async fn serves_and_is_ready_soon(world: &mut World) {
    let http = json!({"readinessProbe": {"httpGet": {"path": "/", "port": "web"}}, "ports": [{"name": "web", "containerPort": 8080}]});
    let mut took = Vec::new();
    for round in 0..9 {
        let name = format!("web-{round}");
        world.put(&name, spec("exec httpd -f -p 8080 -h /www", http.clone()));
        took.push(world.until("ready", |world| world.is_ready(&name)).await);
        assert_eq!(world.pod(&name).text("status.phase"), "Running");
        remove(world, &name).await;
    }
    took.sort();
    println!("created to ready with an HTTP probe, 9 pods: median {:?}, worst {:?} (unoptimised build)", took[4], took[8]);
}

async fn sees_its_volumes(world: &mut World) {
    let map = |value: &str| drop(world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "m"}, "data": {"k": value}})));
    map("one");
    world.cluster.put(SECRET, json!({"metadata": {"namespace": "n", "name": "s"}, "data": {"k": "c2VjcmV0"}}));
    let mounts = json!([{"name": "m", "mountPath": "/m"}, {"name": "s", "mountPath": "/s"}, {"name": "e", "mountPath": "/e"},
        {"name": "e", "mountPath": "/sub", "subPath": "a/b"}, {"name": "m", "mountPath": "/file", "subPath": "k"}]);
    let mut pod = spec(
        "sleep 1000",
        json!({"volumeMounts": mounts, "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}]}),
    );
    pod["volumes"] = json!([{"name": "m", "configMap": {"name": "m"}}, {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o440}},
        {"name": "e", "emptyDir": {}}]);
    pod["securityContext"] = json!({"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000});
    pod["hostAliases"] = json!([{"ip": "1.2.3.4", "hostnames": ["alias"]}]);
    world.put("volumes", pod);
    world.until("ready", |world| world.is_ready("volumes")).await;
    let (_, ids) = world.shell("volumes", "id").await;
    assert!(ids.contains("uid=1000") && ids.contains("gid=1000") && ids.contains("2000"), "{ids}");
    assert_eq!(world.shell("volumes", "cat /m/k /file; echo $A; cat /s/k").await, (0, "oneoneone\nsecret".into()));
    let (code, told) = world.shell("volumes", "touch /e/x /sub/y && ls /e/a/b && touch /m/x").await;
    assert!(code != 0 && told.starts_with("y\n"), "what may be written can be, and what may not cannot: {told}");
    assert_eq!(world.shell("volumes", "hostname; grep -c alias /etc/hosts; grep -c ndots:5 /etc/resolv.conf").await.1, "volumes\n1\n1\n");
    map("two");
    let begun = Instant::now();
    while world.shell("volumes", "cat /m/k").await.1 != "two" {
        assert!(begun.elapsed() < Duration::from_secs(5), "a changed ConfigMap is seen inside");
    }
    assert_eq!(world.shell("volumes", "cat /file").await.1, "one", "a subPath is not updated, as Kubernetes has it");
    remove(world, "volumes").await;
}

async fn restarts_with_its_reason(world: &mut World) {
    world.put("crash", spec("echo last words >/dev/termination-log; exit 3", json!({})));
    world.until("back-off", |world| world.container("crash").text("state.waiting.reason") == "CrashLoopBackOff").await;
    let last = world.container("crash")["lastState"]["terminated"].clone();
    assert_eq!((last.int("exitCode"), last.text("reason"), last.text("message")), (Some(3), "Error", "last words\n"));
    assert_eq!(world.container("crash").int("restartCount"), Some(1));
    let previous: Vec<_> =
        world.node.logs("n", "crash", None, LogOptions { previous: true, ..Default::default() }).expect("there").collect().await;
    assert!(previous.is_empty(), "it wrote nothing");
    remove(world, "crash").await;
    let mut absent = spec("", json!({}));
    absent["containers"][0]["command"] = json!(["/no/such"]);
    world.put("absent", absent);
    world.until("start error", |world| world.container("absent").text("lastState.terminated.reason") == "StartError").await;
    assert_eq!(world.container("absent").int("lastState.terminated.exitCode"), Some(128));
    assert!(world.container("absent").text("lastState.terminated.message").contains("/no/such"));
    remove(world, "absent").await;
}

async fn is_killed_for_its_memory(world: &mut World) {
    let mut pod = spec("exec tail -c 200000000 /dev/zero", json!({"resources": {"limits": {"memory": "16Mi"}}}));
    pod["restartPolicy"] = json!("Never");
    world.put("oom", pod);
    world.until("killed", |world| world.pod("oom").text("status.phase") == "Failed").await;
    assert_eq!(world.container("oom").text("state.terminated.reason"), "OOMKilled", "{}", world.container("oom"));
    remove(world, "oom").await;
}

async fn is_forwarded_to_and_logged(world: &mut World) {
    world.put("forward", spec("echo one; echo two >&2; exec httpd -f -p 127.0.0.1:9000 -h /www", json!({})));
    world.until("ready", |world| world.is_ready("forward")).await;
    let begun = Instant::now();
    let mut stream = loop {
        match world.node.port_forward("n", "forward", 9000).await {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(5), "{error}"),
        }
    };
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.ends_with("hello\n"), "{answer}");
    let lines: Vec<_> = world.node.logs("n", "forward", None, LogOptions::default()).expect("there").collect().await;
    let text: String = lines.into_iter().map(|chunk| String::from_utf8_lossy(&chunk.expect("read")).into_owned()).collect();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"]);
    drop(stream);
    remove(world, "forward").await;
}

async fn is_adopted(world: &mut World) {
    let probe = json!({"livenessProbe": {"exec": {"command": ["/bin/true"]}, "periodSeconds": 1}});
    world.put("stays", spec("sleep 1000", probe));
    world.put("ends", spec("sleep 0.3; exit 4", json!({})));
    world.until("ready", |world| world.is_ready("stays") && world.is_ready("ends")).await;
    let before = (world.version_at_rest("stays").await, world.shell("stays", "stat -c %Y /proc/1").await.1);
    world.restart().await;
    world.until("seen", |world| world.container("ends").int("restartCount") >= Some(1)).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let after = (world.pod("stays").resource_version().to_owned(), world.shell("stays", "stat -c %Y /proc/1").await.1);
    assert_eq!(before, after, "neither touched nor written");
    remove(world, "stays").await;
    remove(world, "ends").await;
}

async fn survives_its_shim(world: &mut World) {
    use runtime::Runtime;
    let uid = world.put("shim", spec("sleep 1000", json!({})));
    world.until("ready", |world| world.is_ready("shim")).await;
    let shim = world.runtime.state(&uid).await.expect("seen").expect("there").shim_pid.expect("lives");
    let killed = std::process::Command::new("kill").args(["-9", &shim.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let took = world.until("again", |world| world.container("shim").int("restartCount") == Some(1) && world.is_ready("shim")).await;
    println!("shim killed to ready again: {took:?}");
    let told = world.cluster.list(EVENT, "n").iter().any(|event| event.text("reason") == "SandboxChanged");
    assert!(told);
    remove(world, "shim").await;
}

async fn is_held_to_its_user(world: &mut World) {
    world.put("root", spec("sleep 1000", json!({"securityContext": {"runAsNonRoot": true}})));
    world.until("refused", |world| world.container("root").text("state.waiting.reason") == "CreateContainerConfigError").await;
    assert!(world.container("root").text("state.waiting.message").starts_with("container has runAsNonRoot and image will run as root"));
    remove(world, "root").await;
    let strict = json!({"securityContext": {"runAsUser": 1000, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}});
    world.put("strict", spec("sleep 1000", strict));
    world.until("ready", |world| world.is_ready("strict")).await;
    assert_ne!(world.shell("strict", "touch /tmp/x").await.0, 0);
    let status = world.shell("strict", "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/1/status").await.1;
    let squeezed: String = status.split_whitespace().collect();
    for part in ["CapEff:0000000000000000", "CapBnd:0000000000000000", "NoNewPrivs:1", "Seccomp:2"] {
        assert!(squeezed.contains(part), "{part}: {status}");
    }
    remove(world, "strict").await;
}

async fn stops_in_order(world: &mut World) {
    let hook = json!({"lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook >>/e/log"]}}},
        "volumeMounts": [{"name": "e", "mountPath": "/e"}]});
    let mut pod = spec("trap 'echo term >>/e/log; exit 0' TERM; while true; do sleep 0.05; done", hook);
    let place = world.home.join("stop");
    std::fs::create_dir_all(&place).expect("made");
    pod["volumes"] = json!([{"name": "e", "hostPath": {"path": place, "type": "Directory"}}]);
    let uid = world.put("stop", pod);
    world.until("ready", |world| world.is_ready("stop")).await;
    let took = remove(world, "stop").await;
    assert_eq!(std::fs::read_to_string(place.join("log")).expect("written"), "hook\nterm\n");
    assert!(took < Duration::from_secs(3), "{took:?}");
    println!("deletion with a hook and a handler: {took:?}");
    let folder = world.home.join("node/pods").join(uid);
    world.until("forgotten", |_| !folder.exists()).await;
    world.put("stubborn", spec("trap '' TERM; while true; do sleep 1; done", json!({})));
    world.until("ready", |world| world.is_ready("stubborn")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.cluster.delete_pod("stubborn", 1);
    let took = world.until("killed", |world| world.pod("stubborn").is_null()).await;
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(3), "{took:?}");
}
