//! EndpointSlices for Endpoints that somebody wrote by hand, for a service without a selector.
//!
//! Source: kubernetes `pkg/controller/endpointslicemirroring`.

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{ENDPOINT_SLICE, ENDPOINTS, SERVICE};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "endpointslicemirroring-controller",
    watches: &[
        Watch { kind: ENDPOINTS, concerns: |endpoints, _| workload::itself(ENDPOINTS, endpoints) },
        Watch { kind: SERVICE, concerns: |service, _| vec![ObjectRef::new(ENDPOINTS, service.namespace(), service.name())] },
        Watch { kind: ENDPOINT_SLICE, concerns: |slice, _| workload::controller_of(ENDPOINTS, slice) },
    ],
    step,
};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// Addresses of one subset that are mirrored.
const MOST: usize = 1_000;

// Slices of Endpoints that are gone go with their owner.
fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(endpoints) = world.find(reference).filter(|endpoints| !endpoints.is_terminating()) else { return Step::done() };
    let mut wanted = if is_mirrored(&endpoints, world) { slices(&endpoints) } else { BTreeMap::new() };
    let mut writes = Vec::new();
    for slice in world.controlled(ENDPOINT_SLICE, endpoints.namespace(), endpoints.uid()) {
        match wanted.remove(slice.name()) {
            Some(want) => {
                let mut next = (*slice).clone();
                for field in ["endpoints", "ports"] {
                    next[field] = want[field].clone();
                }
                next["metadata"]["labels"] = want["metadata"]["labels"].clone();
                if next != *slice {
                    writes.push(Write::Update(ENDPOINT_SLICE, next));
                }
            }
            None => writes.push(Write::Delete {
                object: ObjectRef::of(ENDPOINT_SLICE, &slice),
                uid: slice.uid().to_owned(),
                propagation: "Background",
                now: true,
            }),
        }
    }
    writes.extend(wanted.into_values().map(|slice| Write::Create(ENDPOINT_SLICE, slice)));
    Step::write(writes)
}

fn is_mirrored(endpoints: &Value, world: &dyn World) -> bool {
    let service = world.get(SERVICE, endpoints.namespace(), endpoints.name());
    let by_hand = service.is_some_and(|service| !service.is_terminating() && service.texts("spec.selector").is_empty());
    by_hand
        && endpoints.label("endpointslice.kubernetes.io/skip-mirror") != Some("true")
        && endpoints.annotation("control-plane.alpha.kubernetes.io/leader").is_none()
}

/// A slice for each subset and each family of addresses.
fn slices(endpoints: &Value) -> BTreeMap<String, Value> {
    let mut slices = BTreeMap::new();
    for (at, subset) in endpoints.items("subsets").iter().enumerate() {
        for (family, v4) in [("IPv4", true), ("IPv6", false)] {
            let mirrored = [("addresses", true), ("notReadyAddresses", false)].into_iter().flat_map(|(list, ready)| {
                let own = subset
                    .items(list)
                    .iter()
                    .filter(move |address| address.text("ip").parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() == v4));
                own.map(move |address| endpoint(address, ready))
            });
            let mirrored: Vec<Value> = mirrored.take(MOST).collect();
            if !mirrored.is_empty() {
                let slice = slice(endpoints, subset, (at, family), mirrored);
                slices.insert(slice.name().to_owned(), slice);
            }
        }
    }
    slices
}

fn slice(endpoints: &Value, subset: &Value, (at, family): (usize, &str), mirrored: Vec<Value>) -> Value {
    let hash = workload::hash(&json!([endpoints.uid(), at, family]));
    let stem: String = endpoints.name().chars().take(57).collect();
    let mut labels = endpoints.at("metadata.labels").cloned().unwrap_or_else(|| json!({}));
    labels["endpointslice.kubernetes.io/managed-by"] = json!(MANAGER);
    labels["kubernetes.io/service-name"] = json!(endpoints.name());
    let ports: Vec<Value> = subset.items("ports").iter().map(port).collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {"name": format!("{stem}-{}", &hash[..5]), "namespace": endpoints.namespace(), "labels": labels,
            "ownerReferences": [workload::controller_reference(ENDPOINTS, endpoints)]},
        "endpoints": mirrored, "ports": ports})
}

fn port(port: &Value) -> Value {
    let protocol = if port.text("protocol").is_empty() { "TCP" } else { port.text("protocol") };
    let mut made = json!({"name": port.text("name"), "port": port.int("port").unwrap_or(0), "protocol": protocol});
    if let Some(app) = port.at("appProtocol") {
        made["appProtocol"] = app.clone();
    }
    made
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut made = json!({"addresses": [address.text("ip")], "conditions": {"ready": ready}});
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = address.at(field) {
            made[field] = value.clone();
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn endpoints(ip: &str) -> Value {
        json!({"metadata": {"name": "db", "namespace": "d", "uid": "e"},
            "subsets": [{"addresses": [{"ip": ip}], "notReadyAddresses": [{"ip": "10.1.2.9"}], "ports": [{"port": 5432}]}]})
    }

    #[test]
    fn what_is_written_by_hand_is_mirrored() {
        let service = json!({"metadata": {"name": "db", "namespace": "d", "uid": "s"}, "spec": {"ports": [{"port": 80}]}});
        let mut world = TestWorld::with(&[(SERVICE, service), (ENDPOINTS, endpoints("10.1.2.3"))]);
        world.settle(&CONTROLLER);
        let slices = world.list(ENDPOINT_SLICE, None);
        assert_eq!(slices.len(), 1);
        assert_eq!(slices[0].label("kubernetes.io/service-name"), Some("db"));
        assert_eq!(slices[0].items("ports"), [json!({"name": "", "port": 5432, "protocol": "TCP"})]);
        assert_eq!(slices[0].items("endpoints")[0], json!({"addresses": ["10.1.2.3"], "conditions": {"ready": true}}));
        assert!(!slices[0].items("endpoints")[1].flag("conditions.ready"));
        world.change(ENDPOINTS, "d", "db", |changed| *changed = endpoints("10.1.2.4"));
        world.settle(&CONTROLLER);
        let slices = world.list(ENDPOINT_SLICE, None);
        assert_eq!((slices.len(), slices[0].items("endpoints")[0].items("addresses")), (1, &[json!("10.1.2.4")][..]));
        // A selector makes the slices another controller's.
        world.change(SERVICE, "d", "db", |service| service.set("spec.selector", json!({"app": "db"})));
        world.settle(&CONTROLLER);
        assert!(world.list(ENDPOINT_SLICE, None).is_empty());
    }

    #[test]
    fn who_wants_no_mirror_has_none() {
        let service = json!({"metadata": {"name": "db", "namespace": "d", "uid": "s"}, "spec": {}});
        let mut own = endpoints("10.1.2.3");
        own.set("metadata.labels", json!({"endpointslice.kubernetes.io/skip-mirror": "true"}));
        let mut world = TestWorld::with(&[(SERVICE, service), (ENDPOINTS, own)]);
        world.settle(&CONTROLLER);
        assert!(world.list(ENDPOINT_SLICE, None).is_empty());
    }
}
