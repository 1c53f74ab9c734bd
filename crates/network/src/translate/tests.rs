//! Objects in, topology out.

use super::*;
use crate::topology::{Allowance, Peer, Protocol};
use serde_json::json;

fn slice(service: &str, endpoints: Value) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {"name": format!("{service}-x"), "namespace": "shop", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
        "endpoints": endpoints,
    }))
}

fn service(name: &str, spec: Value) -> Arc<Value> {
    Arc::new(json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec}))
}

fn pod(namespace: &str, name: &str, address: &str, labels: Value, port: u16) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"ports": [{"name": "web", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }))
}

fn endpoint(address: &str, ready: bool, serving: bool, terminating: bool) -> Value {
    json!({"addresses": [address], "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
}

fn web(spec: Value) -> Value {
    let mut all = json!({"clusterIP": "10.43.0.20", "ports": [{"name": "web", "port": 80, "protocol": "TCP", "nodePort": 32000}]});
    for (name, value) in spec.as_object().expect("an object") {
        all[name] = value.clone();
    }
    all
}

fn endpoints_of(endpoints: Value) -> Vec<String> {
    let objects =
        Objects { services: vec![service("a", web(json!({})))], endpoint_slices: vec![slice("a", endpoints)], ..Objects::default() };
    let topology = topology_of(&objects);
    topology.services["shop/a"].ports[0].endpoints.iter().map(|(address, port)| format!("{address}:{port}")).collect()
}

#[test]
fn ready_endpoints_serve_and_ending_ones_only_where_none_is_ready() {
    let (ready, ending, dead) =
        (endpoint("10.42.0.2", true, true, false), endpoint("10.42.0.3", false, true, true), endpoint("10.42.0.4", false, false, true));
    assert_eq!(endpoints_of(json!([ready, ending, dead])), ["10.42.0.2:8080"]);
    assert_eq!(endpoints_of(json!([ending, dead])), ["10.42.0.3:8080"]);
    assert_eq!(endpoints_of(json!([dead])), Vec::<String>::new());
    assert_eq!(endpoints_of(json!([{"addresses": ["10.42.0.5"]}])), ["10.42.0.5:8080"], "conditions that are not told are good");
}

#[test]
fn host_ports_lead_to_pods_with_an_address_of_their_own() {
    let with = |name: &str, address: &str, spec: Value| {
        Arc::new(json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": {"phase": "Running", "podIP": address}}))
    };
    let ports = json!([{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 53, "hostIP": "127.0.0.1", "protocol": "UDP"},
        {"containerPort": 81}, {"containerPort": 82, "hostPort": 82, "hostIP": "::1"}]);
    let spec = json!({"containers": [{"ports": ports}], "initContainers": [
        {"ports": [{"containerPort": 1, "hostPort": 1}]}, {"restartPolicy": "Always", "ports": [{"containerPort": 2, "hostPort": 2}]}]});
    let mut own = spec.clone();
    own["hostNetwork"] = json!(true);
    let pods = vec![with("a", "10.42.0.2", spec.clone()), with("b", "10.42.0.3", spec), with("c", "10.0.0.1", own)];
    let found = topology_of(&Objects { pods, ..Objects::default() }).host_ports;
    let told: Vec<_> = found.iter().map(|port| (port.protocol, port.address, port.port, port.to.1)).collect();
    assert_eq!(told, [(Protocol::Tcp, None, 2, 2), (Protocol::Tcp, None, 8080, 80), (Protocol::Udp, Some(Ipv4Addr::LOCALHOST), 53, 53)]);
    assert!(found.iter().all(|port| port.to.0 == Ipv4Addr::new(10, 42, 0, 2)), "two pods never share one: {found:?}");
}

#[test]
fn a_service_tells_ports_addresses_and_affinity() {
    let spec = web(json!({"externalIPs": ["192.0.2.7", "2001:db8::1"], "sessionAffinity": "ClientIP"}));
    let rule = topology_of(&Objects { services: vec![service("a", spec)], ..Objects::default() }).services["shop/a"].clone();
    assert_eq!((rule.affinity_seconds, rule.ports[0].node_port, rule.ports[0].port), (Some(10_800), Some(32000), 80));
    assert_eq!(rule.external, [Ipv4Addr::new(192, 0, 2, 7)].into());
    let sctp = web(json!({"ports": [{"port": 1, "protocol": "SCTP"}]}));
    assert!(topology_of(&Objects { services: vec![service("a", sctp)], ..Objects::default() }).services["shop/a"].ports.is_empty());
}

#[test]
fn names_follow_the_specification() {
    let mut named = endpoint("10.42.0.2", true, true, false);
    named["hostname"] = json!("db-0");
    let objects = Objects {
        services: vec![
            service("a", web(json!({}))),
            service("db", web(json!({"clusterIP": "None"}))),
            service("else", json!({"type": "ExternalName", "externalName": "Example.com."})),
        ],
        endpoint_slices: vec![slice(
            "db",
            json!([named, endpoint("10.42.0.3", true, true, false), endpoint("10.42.0.4", false, true, false)]),
        )],
        pods: vec![pod("shop", "p", "10.42.0.9", json!({}), 1)],
        ..Objects::default()
    };
    let names = topology_of(&objects).names;
    let address = |name: &str| names.addresses.get(name).map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    for (name, expected) in [
        ("a.shop.svc.cluster.local", "10.43.0.20"),
        ("db.shop.svc.cluster.local", "10.42.0.2 10.42.0.3"),
        ("db-0.db.shop.svc.cluster.local", "10.42.0.2"),
        ("10-42-0-3.db.shop.svc.cluster.local", "10.42.0.3"),
        ("10-42-0-9.shop.pod.cluster.local", "10.42.0.9"),
    ] {
        assert_eq!(address(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(names.aliases["else.shop.svc.cluster.local"], "example.com");
    assert_eq!(names.ports["_web._tcp.a.shop.svc.cluster.local"], [(80, "a.shop.svc.cluster.local".to_owned())]);
    let targets: Vec<_> =
        names.ports["_web._tcp.db.shop.svc.cluster.local"].iter().map(|(port, target)| format!("{port} {target}")).collect();
    assert_eq!(targets, ["8080 10-42-0-3.db.shop.svc.cluster.local", "8080 db-0.db.shop.svc.cluster.local"]);
    assert_eq!(names.reverse[&Ipv4Addr::new(10, 42, 0, 2)], ["db-0.db.shop.svc.cluster.local"]);
}

/// Pods a (app=a) and b (app=b) in `shop` (team=x), c (app=a) in `other` (team=y); the policy selects b.
fn policy(spec: Value) -> Topology {
    let mut whole = json!({"podSelector": {"matchLabels": {"app": "b"}}});
    for (name, value) in spec.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    topology_of(&Objects {
        pods: vec![
            pod("shop", "a", "10.42.0.2", json!({"app": "a"}), 80),
            pod("shop", "b", "10.42.0.3", json!({"app": "b"}), 81),
            pod("other", "c", "10.42.0.4", json!({"app": "a"}), 82),
        ],
        namespaces: ["shop", "other"]
            .map(|name| Arc::new(json!({"metadata": {"name": name, "labels": {"team": if name == "shop" { "x" } else { "y" }}}})))
            .into(),
        network_policies: vec![Arc::new(json!({"metadata": {"name": "n", "namespace": "shop"}, "spec": whole}))],
        ..Objects::default()
    })
}

const B: Ipv4Addr = Ipv4Addr::new(10, 42, 0, 3);

fn ingress(spec: Value) -> Vec<Allowance> {
    let topology = policy(spec);
    assert_eq!(topology.policies.len(), 1, "only what is selected is isolated");
    topology.policies[&B].ingress.clone().expect("isolated").rules
}

fn peers(last: &[u8]) -> Option<Vec<Peer>> {
    Some(last.iter().map(|last| Peer { block: (Ipv4Addr::new(10, 42, 0, *last), 32), except: vec![] }).collect())
}

#[test]
fn peers_are_selected_as_the_specification_says() {
    let one = |peer: Value| ingress(json!({"ingress": [{"from": [peer]}]}))[0].peers.clone();
    let a = json!({"matchLabels": {"app": "a"}});
    assert_eq!(one(json!({"podSelector": a})), peers(&[2]), "in the policy's own namespace");
    assert_eq!(one(json!({"podSelector": {}})), peers(&[2, 3]));
    assert_eq!(one(json!({"namespaceSelector": {}})), peers(&[2, 3, 4]));
    assert_eq!(one(json!({"namespaceSelector": {"matchLabels": {"team": "y"}}})), peers(&[4]));
    assert_eq!(one(json!({"namespaceSelector": {}, "podSelector": a})), peers(&[2, 4]), "both at once");
    assert_eq!(one(json!({"ipBlock": {"cidr": "2001:db8::/32"}})), peers(&[]), "nobody is not everybody");
    let block = one(json!({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.8/29"]}}));
    assert_eq!(block, Some(vec![Peer { block: (Ipv4Addr::new(192, 0, 2, 0), 24), except: vec![(Ipv4Addr::new(192, 0, 2, 8), 29)] }]));
    assert_eq!(ingress(json!({"ingress": [{}]})), [Allowance { peers: None, ports: vec![] }], "a rule without peers means everybody");
    assert_eq!(ingress(json!({"ingress": []})), [], "no rule, nobody");
    assert_eq!(ingress(json!({})), []);
}

#[test]
fn ports_are_numbers_ranges_names_or_all() {
    let ports = |ports: Value| ingress(json!({"ingress": [{"ports": ports}]})).first().map(|rule| rule.ports.clone());
    assert_eq!(ports(json!([{"port": 80}])), Some(vec![(Protocol::Tcp, 80, 80)]));
    assert_eq!(ports(json!([{"port": 80, "endPort": 90, "protocol": "UDP"}])), Some(vec![(Protocol::Udp, 80, 90)]));
    assert_eq!(ports(json!([{"protocol": "UDP"}])), Some(vec![(Protocol::Udp, 0, 65535)]));
    assert_eq!(ports(json!([{"port": "web"}])), Some(vec![(Protocol::Tcp, 81, 81)]), "as the isolated pod calls it");
    assert_eq!(ports(json!([{"port": "none"}])), None, "a name that the pod has not lets nothing pass");
    assert_eq!(ports(json!([{"port": 1, "protocol": "SCTP"}])), None);
}

#[test]
fn egress_names_are_those_of_each_pod_called() {
    let policy = policy(
        json!({"policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": "web"}, {"port": 53, "protocol": "UDP"}]}]}),
    );
    assert_eq!(policy.policies[&B].ingress, None);
    let rules = policy.policies[&B].egress.clone().expect("isolated").rules;
    assert_eq!(rules[0], Allowance { peers: peers(&[2, 3, 4]), ports: vec![(Protocol::Udp, 53, 53)] });
    let named: Vec<_> = rules[1..].iter().map(|rule| (rule.peers.clone(), rule.ports[0].1)).collect();
    assert_eq!(named, [(peers(&[2]), 80), (peers(&[3]), 81), (peers(&[4]), 82)]);
}

#[test]
fn types_that_are_not_told_follow_the_rules() {
    assert!(policy(json!({})).policies[&B].egress.is_none());
    assert!(policy(json!({"egress": [{}]})).policies[&B].egress.is_some());
    assert!(policy(json!({"policyTypes": ["Egress"]})).policies[&B].egress.as_ref().is_some_and(|egress| egress.rules.is_empty()));
}

#[test]
fn ended_and_machine_pods_are_left_alone_and_attached_ones_count_at_once() {
    let everything = Arc::new(json!({"metadata": {"name": "n", "namespace": "shop"}, "spec": {"podSelector": {}}}));
    let with = |pod: Value, attached: &[(&str, Ipv4Addr)]| {
        let attached = attached.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        topology_of(&Objects { pods: vec![Arc::new(pod)], network_policies: vec![everything.clone()], attached, ..Objects::default() })
            .policies
            .len()
    };
    let base = json!({"metadata": {"name": "p", "namespace": "shop"}, "spec": {}, "status": {"podIP": "10.42.0.2"}});
    let mut ended = base.clone();
    ended["status"]["phase"] = json!("Succeeded");
    let mut machine = base.clone();
    machine["spec"]["hostNetwork"] = json!(true);
    let mut fresh = base.clone();
    fresh["status"] = json!({});
    assert_eq!([with(base, &[]), with(ended, &[]), with(machine, &[]), with(fresh.clone(), &[])], [1, 0, 0, 0]);
    assert_eq!(with(fresh, &[("shop/p", B)]), 1);
}
