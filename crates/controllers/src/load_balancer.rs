//! A loopback address of its own for every service of the type LoadBalancer, so that several may use the same port.
//!
//! The address follows from the service's name: it is the same again after the service, or all of the engine, was made anew.
//! Source: kubernetes `k8s.io/cloud-provider/controllers/service`, which sets the same field for clouds.

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::SERVICE;
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "service-lb-controller",
    watches: &[Watch { kind: SERVICE, concerns: |service, _| workload::itself(SERVICE, service) }],
    step,
};

/// First address of 127.64.0.0/10; systems use the lower part of 127.0.0.0/8 for themselves (127.0.0.53, 127.0.1.1).
const FIRST: u32 = 0x7f40_0000;
const MANY: u32 = 1 << 22;

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(service) = world.find(reference).filter(|service| !service.is_terminating()) else { return Step::done() };
    let given = given(&service);
    let status = if is_ours(&service) && given.is_empty() {
        let taken: BTreeSet<Ipv4Addr> = world.list(SERVICE, None).iter().flat_map(|other| self::given(other)).collect();
        let Some(address) = free(reference, &taken) else { return Step::done() };
        json!({"ingress": [{"ip": address.to_string(), "ipMode": "VIP"}]})
    } else if service.text("spec.type") != "LoadBalancer" && given.iter().any(|address| is_in_range(*address)) {
        json!({})
    } else {
        // What somebody else has written there is his.
        return Step::done();
    };
    let mut next = (*service).clone();
    next.set("status.loadBalancer", status);
    Step::write(vec![Write::UpdateStatus(SERVICE, next)])
}

/// Services that name a class are for whoever provides it.
fn is_ours(service: &Value) -> bool {
    service.text("spec.type") == "LoadBalancer" && service.text("spec.loadBalancerClass").is_empty()
}

/// The addresses in a service's status.
fn given(service: &Value) -> Vec<Ipv4Addr> {
    let ingress = service.items("status.loadBalancer.ingress").iter();
    ingress.filter_map(|entry| entry.text("ip").parse().ok()).collect()
}

fn is_in_range(address: Ipv4Addr) -> bool {
    (FIRST..FIRST + MANY).contains(&u32::from(address))
}

/// The address that a name asks for, or the next one that nobody has.
fn free(service: &ObjectRef, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let name = format!("{}/{}", service.namespace, service.name);
    // FNV-1a, whose low bits are good enough to spread names.
    let wish = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) % MANY;
    let addresses = (0..MANY).map(|step| Ipv4Addr::from(FIRST + (wish + step) % MANY));
    addresses.filter(|address| !matches!(address.octets()[3], 0 | 255)).find(|address| !taken.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn service(name: &str, spec: Value, status: Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": spec, "status": status})
    }

    fn balanced(name: &str) -> Value {
        service(name, json!({"type": "LoadBalancer"}), json!({"loadBalancer": {}}))
    }

    fn settled(services: &[Value]) -> TestWorld {
        let objects: Vec<_> = services.iter().map(|service| (SERVICE, service.clone())).collect();
        let mut world = TestWorld::with(&objects);
        world.settle(&CONTROLLER);
        world
    }

    fn addresses(world: &TestWorld, name: &str) -> Vec<Ipv4Addr> {
        given(&world.get(SERVICE, "shop", name).expect("there"))
    }

    #[test]
    fn each_has_an_address_of_its_own_and_always_the_same() {
        let world = settled(&[balanced("a"), balanced("b")]);
        let (first, second) = (addresses(&world, "a"), addresses(&world, "b"));
        assert!(first.len() == 1 && second.len() == 1 && first != second, "{first:?} {second:?}");
        assert!(first.iter().chain(&second).all(|address| is_in_range(*address)));
        assert_eq!(addresses(&settled(&[balanced("a")]), "a"), first);
    }

    #[test]
    fn an_address_that_is_taken_is_not_given_again() {
        let wish = addresses(&settled(&[balanced("a")]), "a");
        let thief = service("thief", json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"ip": wish[0].to_string()}]}}));
        let world = settled(&[thief, balanced("a")]);
        assert_eq!(addresses(&world, "thief"), wish);
        assert_ne!(addresses(&world, "a"), wish);
    }

    #[test]
    fn other_services_are_left_alone() {
        let classed = service("classed", json!({"type": "LoadBalancer", "loadBalancerClass": "x.example/y"}), json!({"loadBalancer": {}}));
        let foreign = service("foreign", json!({"type": "LoadBalancer"}), json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}));
        let world = settled(&[classed, foreign, service("plain", json!({"type": "NodePort"}), json!({"loadBalancer": {}}))]);
        assert!(addresses(&world, "classed").is_empty() && addresses(&world, "plain").is_empty());
        assert_eq!(addresses(&world, "foreign"), [Ipv4Addr::new(203, 0, 113, 1)]);
    }

    #[test]
    fn who_is_balanced_no_longer_gives_the_address_back() {
        let mut world = settled(&[balanced("a")]);
        world.change(SERVICE, "shop", "a", |service| service["spec"]["type"] = json!("ClusterIP"));
        world.settle(&CONTROLLER);
        assert!(addresses(&world, "a").is_empty());
    }
}
