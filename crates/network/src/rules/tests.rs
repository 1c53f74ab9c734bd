//! Plans, without a kernel.

use super::*;
use crate::topology::{Peer, PodPolicy};
use proptest::prelude::*;

fn service(name: &str, endpoints: &[u8], node_port: Option<u16>) -> ServiceRule {
    let endpoints = endpoints.iter().map(|last| (Ipv4Addr::new(10, 42, 0, *last), 8080)).collect();
    ServiceRule {
        name: format!("default/{name}"),
        address: Ipv4Addr::new(10, 43, 0, 20),
        external: BTreeSet::new(),
        ports: vec![ServicePort { protocol: Protocol::Tcp, port: 80, node_port, endpoints }],
        affinity_seconds: None,
    }
}

fn topology(services: &[ServiceRule]) -> Topology {
    Topology { services: services.iter().map(|service| (service.name.clone(), service.clone())).collect(), ..Topology::default() }
}

#[test]
fn nothing_changed_is_nothing_to_do() {
    let one = topology(&[service("a", &[5, 6], Some(32000))]);
    assert_eq!(plan(&one, &one), []);
}

#[test]
fn a_changed_endpoint_turns_only_its_own_elements() {
    let (old, new) = (topology(&[service("a", &[5, 6], Some(32000))]), topology(&[service("a", &[6, 7], Some(32000))]));
    let ops = plan(&new, &old);
    assert_eq!(ops.iter().filter(|op| matches!(op, NetOp::AddChain(_, Chain::Balance(endpoints)) if endpoints.len() == 2)).count(), 1);
    assert_eq!(ops.iter().filter(|op| matches!(op, NetOp::DeleteChain(_))).count(), 1);
    let turned = |op: &&NetOp| matches!(op, NetOp::AddElement(Key::Service(..) | Key::NodePort(..), Some(_)));
    assert_eq!(ops.iter().filter(turned).count(), 2);
    assert_eq!(ops.len(), 8, "{ops:?}");
}

#[test]
fn a_service_without_endpoints_is_refused() {
    let ops = plan(&topology(&[service("a", &[], Some(32000))]), &Topology::default());
    let refused = Key::Refused(Ipv4Addr::new(10, 43, 0, 20), Protocol::Tcp, 80);
    assert_eq!(ops, [NetOp::AddElement(refused, None), NetOp::AddElement(Key::RefusedNodePort(Protocol::Tcp, 32000), None)]);
}

#[test]
fn a_host_port_takes_nothing_from_a_service() {
    let port = |number, address| HostPort { protocol: Protocol::Tcp, address, port: number, to: (Ipv4Addr::new(10, 42, 0, 9), 80) };
    let address = Ipv4Addr::new(10, 43, 0, 20);
    let own = Some(address);
    let mut want = topology(&[service("a", &[5], Some(32000)), ServiceRule { address, ..service("b", &[], Some(32001)) }]);
    want.services.get_mut("default/b").expect("b").ports[0].port = 81;
    let before = Rules::of(&want).elements;
    want.host_ports = [port(32000, None), port(32001, None), port(80, own), port(81, own)].into();
    assert_eq!(Rules::of(&want).elements, before);
    want.host_ports = [port(8080, None), port(8080, own)].into();
    let after = Rules::of(&want);
    assert_eq!(after.elements.len(), before.len() + 3, "two ports, and the pod that may come to itself");
    let chain = after.elements[&Key::NodePort(Protocol::Tcp, 8080)].as_ref().expect("leads somewhere");
    assert_eq!(after.chains[chain], Chain::Here((Ipv4Addr::new(10, 42, 0, 9), 80)));
}

#[test]
fn clients_of_an_endpoint_that_stays_are_kept() {
    let sticky = |endpoints: &[u8]| topology(&[ServiceRule { affinity_seconds: Some(60), ..service("a", endpoints, None) }]);
    let ops = plan(&sticky(&[5, 6]), &sticky(&[5]));
    assert_eq!(ops.iter().filter(|op| matches!(op, NetOp::AddClients(_, 60))).count(), 1);
    assert!(!ops.iter().any(|op| matches!(op, NetOp::DeleteClients(_))), "{ops:?}");
}

#[test]
fn flows_of_removed_udp_endpoints_are_forgotten() {
    let udp = |endpoints: &[u8]| {
        let mut service = service("dns", endpoints, None);
        service.ports[0].protocol = Protocol::Udp;
        topology(&[service])
    };
    let ops = plan(&udp(&[6]), &udp(&[5, 6]));
    assert_eq!(ops.last(), Some(&NetOp::ForgetFlows((Ipv4Addr::new(10, 42, 0, 5), 8080))));
}

#[test]
fn equal_policies_share_a_chain_and_nobody_is_no_rule() {
    let nobody = Allowance { peers: Some(vec![]), ports: vec![] };
    let ports = Allowance { peers: None, ports: vec![(Protocol::Udp, 53, 53), (Protocol::Tcp, 80, 89), (Protocol::Tcp, 90, 99)] };
    let policy = PodPolicy { ingress: Some(Allowances { rules: vec![nobody, ports] }), egress: None };
    let policies = [5, 6].map(|last| (Ipv4Addr::new(10, 42, 0, last), policy.clone())).into();
    let ops = plan(&Topology { policies, ..Topology::default() }, &Topology::default());
    let chains: Vec<_> = ops.iter().filter_map(|op| if let NetOp::AddChain(_, chain) = op { Some(chain) } else { None }).collect();
    let pass = |protocol, range| Pass { peers: None, ports: Some((protocol, vec![range])) };
    assert_eq!(chains, [&Chain::Allow(Direction::Ingress, vec![pass(Protocol::Tcp, (80, 99)), pass(Protocol::Udp, (53, 53))])]);
    assert_eq!(ops.len(), 3);
}

/// A kernel that knows only what ops do, and fails as the real one would.
fn replay(rules: &mut Rules, ops: Vec<NetOp>) {
    for op in ops {
        match op {
            NetOp::AddClients(name, seconds) => assert!(rules.clients.insert(name, seconds).is_none()),
            NetOp::AddChain(name, chain) => {
                if let Chain::Sticky(_, named) = &chain {
                    assert!(named.iter().all(|(_, set)| rules.clients.contains_key(set)), "chain before its sets");
                }
                assert!(rules.chains.insert(name, chain).is_none());
            }
            NetOp::DeleteElement(key) => assert!(rules.elements.remove(&key).is_some()),
            NetOp::AddElement(key, chain) => {
                assert!(chain.iter().all(|name| rules.chains.contains_key(name)), "element before its chain");
                assert!(rules.elements.insert(key, chain).is_none());
            }
            NetOp::DeleteChain(name) => {
                assert!(!rules.elements.values().flatten().any(|other| *other == name), "chain in use");
                assert!(rules.chains.remove(&name).is_some());
            }
            NetOp::DeleteClients(name) => assert!(rules.clients.remove(&name).is_some()),
            NetOp::ForgetFlows(endpoint) => assert!(rules.flows.remove(&endpoint)),
        }
    }
}

fn any_topology() -> impl Strategy<Value = Topology> {
    let one = (0u8..4, proptest::collection::btree_set(1u8..6, 0..4), any::<bool>(), any::<bool>(), any::<bool>());
    let policy = (1u8..6, proptest::option::of(0u8..3), proptest::option::of(0u8..3));
    (proptest::collection::vec(one, 0..5), proptest::collection::vec(policy, 0..4)).prop_map(|(services, policies)| {
        let mut topology = Topology::default();
        for (id, endpoints, udp, sticky, node_port) in services {
            let mut rule = service(&id.to_string(), &endpoints.into_iter().collect::<Vec<_>>(), node_port.then_some(30000 + u16::from(id)));
            rule.address = Ipv4Addr::new(10, 43, 0, 20 + id);
            rule.affinity_seconds = sticky.then_some(60);
            rule.ports[0].protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
            topology.services.insert(rule.name.clone(), rule);
        }
        let allow = |count: u8| Allowances {
            rules: (0..count)
                .map(|last| Allowance {
                    peers: Some(vec![Peer { block: (Ipv4Addr::new(10, 42, 0, last), 32), except: vec![] }]),
                    ports: vec![],
                })
                .collect(),
        };
        for (last, ingress, egress) in policies {
            topology.policies.insert(Ipv4Addr::new(10, 42, 0, last), PodPolicy { ingress: ingress.map(allow), egress: egress.map(allow) });
        }
        topology
    })
}

proptest! {
    #[test]
    fn a_plan_leads_from_any_state_to_any_other(steps in proptest::collection::vec(any_topology(), 1..5)) {
        let (mut kernel, mut seen) = (Rules::default(), Topology::default());
        for want in steps {
            replay(&mut kernel, plan(&want, &seen));
            let rules = Rules::of(&want);
            prop_assert_eq!((&kernel.chains, &kernel.clients, &kernel.elements), (&rules.chains, &rules.clients, &rules.elements));
            kernel.flows = rules.flows;
            seen = want;
        }
    }
}
