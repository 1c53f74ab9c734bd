//! kubectl, unmodified, against the server alone.

use crate::common::{World, has_kubectl};
use k8s::Fields;
use k8s::kinds::{CONFIG_MAP, DEPLOYMENT, POD};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'nginx:1', ports: [{containerPort: 80}], resources: {limits: {memory: 64Mi, cpu: 100m}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 32000}]
";

const POD_YAML: &str = "
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default, labels: {app: p}}
spec:
  containers: [{name: c, image: busybox, command: [sleep, '1']}]
";

macro_rules! need_kubectl {
    () => {
        if !has_kubectl() {
            return;
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn it_finds_its_way_around() {
    need_kubectl!();
    let world = World::start().await;
    assert!(world.kubectl("version").await.contains("Server Version: v1.36.3"));
    let resources = world.kubectl("api-resources").await;
    for line in ["deployments", "networkpolicies", "selfsubjectaccessreviews"] {
        assert!(resources.contains(line), "{resources}");
    }
    assert!(world.kubectl("api-versions").await.contains("rbac.authorization.k8s.io/v1"));
    assert!(world.kubectl("explain deployment.spec.strategy").await.contains("rollingUpdate"));
    let old = world.kubectl("explain deployment.spec.strategy --output plaintext-openapiv2").await;
    assert!(old.contains("rollingUpdate"), "{old}");
    assert!(world.kubectl("get --raw /readyz").await.contains("ok"));
    assert!(world.kubectl("get --raw /healthz?verbose").await.contains("[+]store ok"));
    assert!(world.kubectl("cluster-info").await.contains("is running at"));
    let table = world.kubectl("get svc -A -o wide").await;
    assert!(table.contains("10.43.0.1") && table.contains("443/TCP"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_applies_and_changes_objects() {
    need_kubectl!();
    let world = World::start().await;
    let file = world.file("web.yaml", WEB);
    let said = world.kubectl(&format!("apply -f {file}")).await;
    assert!(said.contains("deployment.apps/web created") && said.contains("service/web created"), "{said}");
    let said = world.kubectl(&format!("apply -f {file}")).await;
    assert!(said.contains("deployment.apps/web unchanged") && said.contains("service/web unchanged"), "{said}");
    assert_eq!(world.kubectl(&format!("diff -f {file}")).await, "");
    let api = world.server().api();
    let before = api.get(DEPLOYMENT, "default", "web").expect("there");
    assert_eq!(before.int("metadata.generation"), Some(1));
    world.kubectl("scale deployment web --replicas=5").await;
    world.kubectl("set image deployment/web web=nginx:2").await;
    world.kubectl("label deployment web tier=front").await;
    world.kubectl("annotate deployment web note=x").await;
    world
        .kubectl_in(
            &[
                "patch",
                "deployment",
                "web",
                "-p",
                r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}"#,
            ],
            "",
        )
        .await;
    world.kubectl_in(&["patch", "deployment", "web", "--type=merge", "-p", r#"{"spec":{"minReadySeconds":3}}"#], "").await;
    world
        .kubectl_in(&["patch", "deployment", "web", "--type=json", "-p", r#"[{"op":"replace","path":"/spec/replicas","value":4}]"#], "")
        .await;
    let after = api.get(DEPLOYMENT, "default", "web").expect("there");
    assert_eq!(after.int("spec.replicas"), Some(4));
    assert_eq!(after.items("spec.template.spec.containers")[0].text("image"), "nginx:2");
    assert_eq!(after.items("spec.template.spec.containers")[0].items("env").len(), 1);
    assert_eq!((after.int("spec.minReadySeconds"), after.int("metadata.generation")), (Some(3), Some(6)));
    let diff = world.try_kubectl(&["diff", "-f", &file], "").await;
    assert!(!diff.0 && diff.1.contains("-  replicas: 4") && diff.1.contains("+  replicas: 2"), "{}", diff.1);
    world.kubectl("rollout restart deployment web").await;
    let yaml = world.kubectl("get deployment web -o yaml").await;
    assert!(yaml.contains("kubectl.kubernetes.io/restartedAt") && !yaml.contains("managedFields"), "{yaml}");
    let editor = world.file("editor.sh", "#!/bin/sh\nsed -i 's/replicas: 4/replicas: 7/' \"$1\"\n");
    let mut edit = world.command(&["edit", "deployment", "web"]);
    let said = edit.env("EDITOR", format!("sh {editor}")).output().await.expect("ran");
    assert!(said.status.success(), "{said:?}");
    assert_eq!(api.get(DEPLOYMENT, "default", "web").expect("there").int("spec.replicas"), Some(7));
    let replaced = world.file("replace.yaml", &world.kubectl("get deployment web -o yaml").await.replace("replicas: 7", "replicas: 1"));
    world.kubectl(&format!("replace -f {replaced}")).await;
    let stale = world.refused(&format!("replace -f {replaced}")).await;
    assert!(stale.contains("the object has been modified"), "{stale}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_applies_on_the_server_and_sees_conflicts() {
    need_kubectl!();
    let world = World::start().await;
    let file = world.file("web.yaml", WEB);
    world.kubectl(&format!("apply --server-side -f {file}")).await;
    let version = |world: &World| world.server().api().get(DEPLOYMENT, "default", "web").expect("there").resource_version().to_owned();
    let before = version(&world);
    world.kubectl(&format!("apply --server-side -f {file}")).await;
    assert_eq!(version(&world), before, "nothing changed, so nothing is written");
    world.kubectl("scale deployment web --replicas=5").await;
    let refused = world.refused(&format!("apply --server-side -f {file}")).await;
    assert!(refused.contains(".spec.replicas") && refused.contains("conflict"), "{refused}");
    world.kubectl(&format!("apply --server-side --force-conflicts -f {file}")).await;
    assert!(
        world.kubectl(&format!("apply --server-side --dry-run=server -f {file}")).await.contains("serverside-applied (server dry run)")
    );
    assert_eq!(world.server().api().get(DEPLOYMENT, "default", "web").expect("there").int("spec.replicas"), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_fields_are_refused_with_their_path() {
    need_kubectl!();
    let world = World::start().await;
    let file = world.file("wrong.yaml", &WEB.replace("image:", "imagge:"));
    let refused = world.refused(&format!("apply -f {file}")).await;
    assert!(refused.contains("unknown field \"spec.template.spec.containers[0].imagge\""), "{refused}");
    let told = world.refused(&format!("apply --validate=warn -f {file}")).await;
    assert!(told.contains("unknown field \"spec.template.spec.containers[0].imagge\"") && told.contains("image: Required value"), "{told}");
    let file = world.file("bad.yaml", &WEB.replace("app: web}}\n  template", "app: other}}\n  template"));
    let refused = world.refused(&format!("apply -f {file}")).await;
    assert!(refused.contains("is invalid") && refused.contains("spec.template.metadata.labels"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_commands_send_protobuf() {
    need_kubectl!();
    let world = World::start().await;
    world.kubectl("create namespace foo").await;
    world.kubectl("create secret generic s -n foo --from-literal=pw=hunter2").await;
    world.kubectl("create configmap c -n foo --from-literal=a=b").await;
    world.kubectl("create deployment d -n foo --image=nginx --replicas=3").await;
    world.kubectl("create service clusterip s -n foo --tcp=80:80").await;
    world.kubectl("create role r -n foo --verb=get,list --resource=pods").await;
    world.kubectl("create rolebinding rb -n foo --role=r --serviceaccount=foo:default").await;
    world.kubectl("create quota q -n foo --hard=pods=1").await;
    world.kubectl("create serviceaccount robot -n foo").await;
    assert_eq!(world.kubectl("get secret s -n foo -o jsonpath={.data.pw}").await.trim(), "aHVudGVyMg==");
    assert_eq!(world.kubectl("get deployment d -n foo -o jsonpath={.spec.replicas}").await.trim(), "3");
    assert_eq!(world.kubectl("auth can-i create pods").await.trim(), "yes");
    let own = world.kubectl("auth can-i list pods -n foo --as=system:serviceaccount:foo:default").await;
    assert_eq!(own.trim(), "yes");
    let other = world.refused("auth can-i delete pods -n foo --as=system:serviceaccount:foo:default").await;
    assert_eq!(other.trim(), "no");
    assert!(world.kubectl("auth can-i --list -n foo --as=system:serviceaccount:foo:default").await.contains("pods"));
    assert!(world.kubectl("auth whoami").await.contains("system:masters"));
    let token = world.kubectl("create token robot -n foo --duration=20m").await;
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    let refused = world.refused("get pods -n foo --as=bob").await;
    assert!(
        refused.contains(r#"pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "foo""#),
        "{refused}"
    );
    for file in std::fs::read_dir(world.home.join("engine/store")).expect("listed") {
        let bytes = std::fs::read(file.expect("entry").path()).expect("read");
        for plain in [&b"hunter2"[..], b"aHVudGVyMg"] {
            assert!(!bytes.windows(plain.len()).any(|part| part == plain), "secrets are encrypted on the disk");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_deletes_waits_and_watches() {
    need_kubectl!();
    let world = World::start().await;
    let api = world.server().api();
    let file = world.file("p.yaml", POD_YAML);
    let mut watch = world.command(&["get", "pods", "-w"]);
    let mut watching = watch.stdout(std::process::Stdio::piped()).spawn().expect("kubectl runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("piped")).lines();
    tokio::time::sleep(Duration::from_millis(400)).await;
    world.kubectl(&format!("apply -f {file}")).await;
    let head = line(&mut lines).await;
    assert!(head.starts_with("NAME"), "{head}");
    let first = line(&mut lines).await;
    assert!(first.contains("Pending"), "{first}");
    api.bind("default", "p", "", "wharf").await.expect("bound");
    let mut pod = (*api.get(POD, "default", "p").expect("there")).clone();
    pod.set("status.phase", "Running");
    pod.set("status.conditions", serde_json::json!([{"type": "Ready", "status": "True"}]));
    api.update_status(POD, pod).await.expect("updated");
    world.kubectl("wait --for=condition=Ready pod/p --timeout=10s").await;
    world.kubectl("wait --for=jsonpath={.status.phase}=Running pod/p --timeout=10s").await;
    world.kubectl("delete pod p --wait=false").await;
    let going = api.get(POD, "default", "p").expect("goes gracefully");
    assert!(going.is_terminating() && going.int("metadata.deletionGracePeriodSeconds") == Some(30));
    let deleting = tokio::spawn({
        let mut wait = world.command(&["wait", "--for=delete", "pod/p", "--timeout=20s"]);
        async move { wait.output().await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let options = apiserver::DeleteOptions { grace_seconds: Some(0), ..apiserver::DeleteOptions::default() };
    api.delete(POD, "default", "p", &options).await.expect("gone");
    assert!(deleting.await.expect("ran").expect("ended").status.success());
    drop(lines);
    watching.kill().await.expect("ended");
    world.kubectl("create configmap held --from-literal=a=b").await;
    world
        .kubectl_in(&["patch", "configmap", "held", "--type=merge", "-p", r#"{"metadata":{"finalizers":["example.com/hold"]}}"#], "")
        .await;
    world.kubectl("delete configmap held --wait=false").await;
    assert!(api.get(CONFIG_MAP, "default", "held").expect("held").is_terminating());
    world.kubectl_in(&["patch", "configmap", "held", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#], "").await;
    assert!(api.get(CONFIG_MAP, "default", "held").is_none());
    world.kubectl("create deployment d --image=nginx").await;
    world.kubectl("delete deployment d --cascade=foreground --wait=false").await;
    let going = api.get(DEPLOYMENT, "default", "d").expect("held");
    assert_eq!(going.items("metadata.finalizers"), [serde_json::json!("foregroundDeletion")]);
    world.kubectl("delete namespace kube-node-lease --wait=false").await;
    assert!(world.refused("create configmap x -n kube-node-lease").await.contains("being terminated"));
    assert!(world.refused("delete namespace default").await.contains("forbidden"));
}

async fn line(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) -> String {
    let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await.expect("in time");
    line.expect("read").expect("a line")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_logs_runs_programs_and_forwards_ports() {
    need_kubectl!();
    let world = World::start().await;
    let file = world.file("p.yaml", POD_YAML);
    world.kubectl(&format!("apply -f {file}")).await;
    let api = world.server().api();
    api.bind("default", "p", "", "wharf").await.expect("bound");
    let mut pod = (*api.get(POD, "default", "p").expect("there")).clone();
    pod.set("status.phase", "Running");
    api.update_status(POD, pod).await.expect("updated");
    assert_eq!(world.kubectl("logs p --tail=3").await, "p/c tail=Some(3) previous=false\n");
    assert_eq!(world.kubectl("logs -f p").await, "p/c tail=None previous=false\nlater\n");
    assert!(world.refused("logs p -c nope").await.contains("nope"));
    let said = world.kubectl_in(&["exec", "-i", "p", "--", "sh", "-c", "cat; echo $CONTAINER >&2"], "hello\n").await;
    assert_eq!(said, "hello\nc\n");
    let (_, told) = world.try_kubectl(&["exec", "p", "--", "sh", "-c", "exit 7"], "").await;
    assert!(told.contains("exit code 7"), "{told}");
    let big = world.kubectl("exec p -- seq 1 200000").await;
    assert!(big.ends_with("\n200000\n") && big.len() == 1_288_895, "{}", big.len());
    let old = world
        .command(&["exec", "-i", "p", "--", "wc", "-c"])
        .env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut old = old.expect("kubectl runs");
    let mut stdin = old.stdin.take().expect("piped");
    stdin.write_all(&vec![b'x'; 300_000]).await.expect("written");
    drop(stdin);
    let said = tokio::time::timeout(Duration::from_secs(20), old.wait_with_output()).await.expect("in time").expect("ended");
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "300000", "by SPDY: {said:?}");
    forward(&world, "true").await;
    forward(&world, "false").await;
}

/// A server on the host, reached through kubectl's port-forward, by WebSocket or by SPDY alone.
async fn forward(world: &World, web_sockets: &str) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    let mut command = world.command(&["port-forward", "pod/p", &format!(":{port}")]);
    let mut forwarding =
        command.env("KUBECTL_PORT_FORWARD_WEBSOCKETS", web_sockets).stdout(std::process::Stdio::piped()).spawn().expect("kubectl runs");
    let mut lines = BufReader::new(forwarding.stdout.take().expect("piped")).lines();
    let said = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await.expect("in time").expect("read").expect("a line");
    let local: u16 =
        said.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse().ok()).expect("a port");
    for round in 0..3 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", local)).await.expect("connected");
        let sent: Vec<u8> = (0..500_000u32).map(|at| u8::try_from((at + round) % 251).expect("small")).collect();
        let (mut read, mut write) = stream.split();
        let mut got = Vec::new();
        let back = async {
            let mut part = vec![0; 64 << 10];
            while got.len() < sent.len() {
                let length = read.read(&mut part).await.expect("read");
                assert!(length > 0, "ended after {}", got.len());
                got.extend_from_slice(&part[..length]);
            }
        };
        let there = async { write.write_all(&sent).await.expect("written") };
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(back, there) }).await.expect("in time");
        assert!(got == sent, "round {round}");
    }
    forwarding.kill().await.expect("ended");
}
