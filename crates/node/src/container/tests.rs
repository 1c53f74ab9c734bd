//! What containers are made of.

use super::*;
use crate::images::ImageConfig;
use crate::testing::World;
use crate::volumes::Volume;
use k8s::kinds::{CONFIG_MAP, SERVICE};
use runtime::MountSource;
use serde_json::json;
use std::sync::Arc;

fn pod(spec: Value) -> Pod {
    let metadata = json!({"namespace": "n", "name": "p", "uid": "u", "labels": {"app": "x"}, "annotations": {"k": "v\n2"}});
    Pod::of(Arc::new(json!({"metadata": metadata, "spec": spec})))
}

fn one(container: Value, rest: Value) -> Pod {
    let mut full = json!({"name": "c", "image": "i"});
    full.as_object_mut().expect("object").extend(container.as_object().cloned().unwrap_or_default());
    let mut spec = json!({"containers": [full], "serviceAccountName": "sa"});
    spec.as_object_mut().expect("object").extend(rest.as_object().cloned().unwrap_or_default());
    pod(spec)
}

fn image(config: ImageConfig) -> ResolvedImage {
    ResolvedImage { image_id: "sha256:1".into(), reference: "sha256:1".into(), layers: vec!["/l".into()], config }
}

fn build_with(world: &World, pod: &Pod, image: &ResolvedImage) -> Result<runtime::ContainerSpec, StartFault> {
    let volumes: Prepared = [
        ("v".to_owned(), Volume { path: world.config.home.clone(), read_only: false }),
        ("r".to_owned(), Volume { path: world.config.home.clone(), read_only: true }),
    ]
    .into();
    std::fs::create_dir_all(&world.config.home).expect("made");
    let ip = Some("10.42.0.9".parse().expect("an address"));
    let inputs = Inputs {
        pod,
        container: &pod.containers[0],
        attempt: 0,
        image,
        cluster: &*world.cluster,
        node: &world.config,
        ip,
        volumes: &volumes,
    };
    container_spec(&inputs)
}

fn build(world: &World, pod: &Pod) -> Result<runtime::ContainerSpec, StartFault> {
    build_with(world, pod, &image(ImageConfig { entrypoint: vec!["/app".into()], ..Default::default() }))
}

fn config_error(world: &World, pod: &Pod) -> String {
    match build(world, pod) {
        Err(StartFault::Config(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn command_and_args_replace_entrypoint_and_cmd() {
    let world = World::new();
    let config = || ImageConfig { entrypoint: vec!["e".into()], cmd: vec!["c".into()], ..Default::default() };
    for (container, want) in [
        (json!({}), vec!["e", "c"]),
        (json!({"args": ["a"]}), vec!["e", "a"]),
        (json!({"command": ["x"]}), vec!["x"]),
        (json!({"command": ["x"], "args": ["a", "$(A)$(NO)$$(A)"], "env": [{"name": "A", "value": "1"}]}), vec!["x", "a", "1$(NO)$(A)"]),
    ] {
        let spec = build_with(&world, &one(container, json!({})), &image(config())).expect("built");
        assert_eq!(spec.args, want);
    }
    let empty = build_with(&world, &one(json!({}), json!({})), &image(ImageConfig::default()));
    assert!(matches!(empty, Err(StartFault::Create(why)) if why.contains("no command specified")));
}

#[test]
fn the_environment_has_its_order() {
    let world = World::new();
    world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "m"}, "data": {"A": "map", "B": "map"}}));
    let ports = json!([{"name": "web-ui", "port": 80, "protocol": "TCP"}]);
    let service = json!({"metadata": {"namespace": "n", "name": "my-svc"}, "spec": {"clusterIP": "10.43.0.7", "ports": ports}});
    world.cluster.put(SERVICE, service);
    let env = json!([
        {"name": "A", "value": "own"}, {"name": "C", "value": "$(A)-$(P_B)-$(MY_SVC_SERVICE_HOST)"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "ANN", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Ki"}}},
        {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "no", "optional": true}}},
    ]);
    let resources = json!({"limits": {"memory": "1Mi"}});
    let container = json!({"env": env, "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}], "resources": resources});
    let config = ImageConfig { entrypoint: vec!["e".into()], env: vec!["A=image".into(), "Z=image".into()], ..Default::default() };
    let spec = build_with(&world, &one(container, json!({})), &image(config)).expect("built");
    let has = |entry: &str| assert!(spec.env.contains(&entry.to_owned()), "{entry}: {:?}", spec.env);
    for entry in [
        "A=own",
        "Z=image",
        "P_A=map",
        "C=own-map-10.43.0.7",
        "IP=10.42.0.9",
        "L=x",
        "ANN=k=\"v\\n2\"",
        "CPU=4",
        "MEM=1024",
        "HOSTNAME=p",
        "MY_SVC_SERVICE_PORT=80",
        "MY_SVC_SERVICE_PORT_WEB_UI=80",
        "MY_SVC_PORT_80_TCP_ADDR=10.43.0.7",
        "MY_SVC_PORT=tcp://10.43.0.7:80",
    ] {
        has(entry);
    }
    assert!(spec.env.iter().any(|entry| entry.starts_with("PATH=/")) && !spec.env.iter().any(|entry| entry.starts_with("K=")));
    let unlinked = one(json!({}), json!({"enableServiceLinks": false}));
    assert!(!build(&world, &unlinked).expect("built").env.iter().any(|entry| entry.starts_with("MY_SVC")));
    let missing = json!({"env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "no"}}}]});
    assert_eq!(config_error(&world, &one(missing, json!({}))), "couldn't find key no in ConfigMap n/m");
}

#[test]
fn non_root_is_held_to() {
    let world = World::new();
    let context = |own: Value| one(json!({"securityContext": own}), json!({"securityContext": {"runAsNonRoot": true}}));
    let at = "(pod: \"p_n(u)\", container: c)";
    for (own, user, why) in [
        (json!({}), "", Some("container has runAsNonRoot and image will run as root ")),
        (json!({}), "0:5", Some("container has runAsNonRoot and image will run as root ")),
        (json!({}), "app", Some("container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root ")),
        (json!({"runAsUser": 0}), "7", Some("container's runAsUser breaks non-root policy ")),
        (json!({}), "7", None),
        (json!({"runAsUser": 5}), "", None),
        (json!({"runAsNonRoot": false}), "", None),
    ] {
        let config = ImageConfig { entrypoint: vec!["e".into()], user: user.into(), ..Default::default() };
        match (build_with(&world, &context(own), &image(config)), why) {
            (Err(StartFault::Config(told)), Some(why)) => assert_eq!(told, format!("{why}{at}")),
            (Ok(_), None) => {}
            (other, _) => panic!("{user}: {other:?}"),
        }
    }
}

#[test]
fn capabilities_and_privileges() {
    let world = World::new();
    let of = |own: Value| build(&world, &one(json!({"securityContext": own}), json!({}))).expect("built").privileges;
    let plain = of(json!({}));
    assert_eq!((plain.capabilities.len(), plain.allow_escalation, plain.seccomp), (14, true, true));
    let strict = of(json!({"capabilities": {"drop": ["ALL"], "add": ["CAP_NET_BIND_SERVICE"]}, "allowPrivilegeEscalation": false}));
    assert_eq!((strict.capabilities, strict.allow_escalation), (vec!["NET_BIND_SERVICE".to_owned()], false));
    assert_eq!(of(json!({"capabilities": {"add": ["ALL"], "drop": ["SYS_ADMIN"]}})).capabilities.len(), 40);
    assert!(!of(json!({"capabilities": {"drop": ["net_raw"]}})).capabilities.contains(&"NET_RAW".to_owned()));
    let everything = of(json!({"privileged": true}));
    assert!(everything.privileged && !everything.seccomp && everything.allow_escalation);
    assert!(!of(json!({"seccompProfile": {"type": "Unconfined"}})).seccomp);
    for (own, why) in [
        (json!({"capabilities": {"add": ["FLY"]}}), "unknown capability \"CAP_FLY\""),
        (json!({"seccompProfile": {"type": "Localhost"}}), "seccompProfile: Localhost is not supported by this node"),
    ] {
        assert_eq!(config_error(&world, &one(json!({"securityContext": own}), json!({}))), why);
    }
    assert!(pod_spec(&one(json!({}), json!({"hostPID": true})), &world.config, None).is_err_and(|why| why.contains("spec.hostPID")));
}

#[test]
fn limits_and_classes() {
    let world = World::new();
    let with = |resources: Value| one(json!({"resources": resources}), json!({}));
    let guaranteed = with(json!({"limits": {"cpu": "200m", "memory": "64Mi"}}));
    assert_eq!(qos(&guaranteed), Qos::Guaranteed);
    let spec = build(&world, &guaranteed).expect("built").resources;
    assert_eq!((spec.memory_bytes, spec.cpu_milli, spec.cpu_request_milli, spec.oom_score), (Some(64 << 20), Some(200), Some(200), -997));
    let burstable = with(json!({"requests": {"memory": "4Gi"}}));
    assert_eq!(qos(&burstable), Qos::Burstable);
    assert_eq!(build(&world, &burstable).expect("built").resources.oom_score, 500);
    assert_eq!(qos(&with(json!({}))), Qos::BestEffort);
    let container = |name: &str, memory: &str| json!({"name": name, "image": "i", "resources": {"limits": {"memory": memory}}});
    let several = pod(json!({"initContainers": [container("i", "100Mi")], "containers": [container("a", "30Mi"), container("b", "40Mi")]}));
    assert_eq!(resources::of_pod(&several, &world.config).memory_bytes, Some(100 << 20));
    let open = pod(json!({"containers": [container("a", "30Mi"), {"name": "b", "image": "i"}]}));
    assert_eq!(resources::of_pod(&open, &world.config).memory_bytes, None, "one without a limit leaves the pod without");
}

#[test]
fn mounts_are_in_order_and_inside() {
    let world = World::new();
    let env = json!([{"name": "A", "value": "x"}]);
    let mounts = json!([
        {"name": "v", "mountPath": "/a/b/c"}, {"name": "r", "mountPath": "/a"},
        {"name": "v", "mountPath": "/s", "subPath": "made/here", "readOnly": true}, {"name": "v", "mountPath": "/e", "subPathExpr": "$(A)/y"},
        {"name": "v", "mountPath": "/etc/hosts"},
    ]);
    let spec = build(&world, &one(json!({"env": env, "volumeMounts": mounts}), json!({}))).expect("built");
    let at = |target: &str| spec.mounts.iter().position(|mount| mount.target == target).expect("there");
    assert!(at("/a") < at("/a/b/c"), "parents come first");
    assert!(spec.mounts[at("/a")].read_only && spec.mounts[at("/s")].read_only && !spec.mounts[at("/a/b/c")].read_only);
    assert!(matches!(&spec.mounts[at("/e")].source, MountSource::BindBelow { path, .. } if path == "x/y"));
    assert!(world.config.home.join("made/here").is_dir());
    assert_eq!(spec.mounts.iter().filter(|mount| mount.target == "/etc/hosts").count(), 1, "the pod's own wins");
    for target in ["/etc/resolv.conf", "/etc/hostname", "/dev/termination-log"] {
        at(target);
    }
    for (mount, why) in [
        (json!({"name": "v", "mountPath": "/s", "subPath": "../x"}), "must not contain .."),
        (json!({"name": "v", "mountPath": "/s", "subPathExpr": "$(NO)"}), "missing value for \"NO\""),
        (json!({"name": "none", "mountPath": "/s"}), "volume \"none\""),
    ] {
        let told = config_error(&world, &one(json!({"volumeMounts": [mount]}), json!({})));
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn names_are_resolved_as_the_policy_says() {
    let world = World::new();
    let host = dns::Resolv::parse("nameserver 9.9.9.9\nsearch corp.example\noptions edns0\n# x\n");
    let text = |rest: Value| dns::of_pod(&one(json!({}), rest), &world.config, &host).text();
    let cluster = "search n.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.43.0.10\noptions ndots:5\n";
    assert_eq!(text(json!({"dnsPolicy": "ClusterFirst"})), cluster);
    assert_eq!(text(json!({"dnsPolicy": "Default"})), host.text());
    assert_eq!(text(json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true})), host.text());
    assert_eq!(text(json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true})), cluster);
    let config = json!({"nameservers": ["1.1.1.1"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]});
    assert_eq!(text(json!({"dnsPolicy": "None", "dnsConfig": config})), "search a.b\nnameserver 1.1.1.1\noptions ndots:2 edns0\n");
}

#[test]
fn hosts_files_name_the_pod_and_its_aliases() {
    let world = World::new();
    let ip = Some("10.42.0.9".parse().expect("an address"));
    let aliases = json!([{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]);
    let plain = hosts::hosts_file(&one(json!({}), json!({"hostAliases": aliases})), &world.config, ip, "");
    assert!(
        plain.starts_with("# Kubernetes-managed hosts file.\n") && plain.contains("\n10.42.0.9\tp\n") && plain.ends_with("1.2.3.4\ta\tb\n")
    );
    let named = one(json!({}), json!({"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": true}));
    assert_eq!(hosts::hostname(&named, &world.config), "h.s.n.svc.cluster.local");
    assert!(hosts::hosts_file(&named, &world.config, ip, "").contains("10.42.0.9\th.s.n.svc.cluster.local\th\n"));
    let on_host = one(json!({}), json!({"hostNetwork": true}));
    assert_eq!(hosts::hosts_file(&on_host, &world.config, ip, "own\n"), "# Kubernetes-managed hosts file (host network).\nown\n");
}
