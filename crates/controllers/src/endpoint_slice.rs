//! EndpointSlice: which addresses are behind a service, a hundred a slice.

use crate::workload::{self, is_ready};
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{ENDPOINT_SLICE, POD, SERVICE};
use k8s::labels::Selector;
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "endpointslice-controller",
    watches: &[
        Watch { kind: SERVICE, concerns: |service, _| workload::itself(SERVICE, service) },
        Watch { kind: POD, concerns: services_of },
        Watch { kind: ENDPOINT_SLICE, concerns: |slice, _| workload::controller_of(SERVICE, slice) },
    ],
    step,
};

const MANAGER: &str = "endpointslice-controller.k8s.io";
const SLICE_SIZE: usize = 100;

/// The services that select a pod.
pub fn services_of(pod: &Value, world: &dyn World) -> Vec<ObjectRef> {
    workload::referring(world, SERVICE, pod.namespace(), |service| selector(service).is_some_and(|selector| selector.matches(pod)))
}

/// What a service selects; `None` where it selects nothing itself.
pub fn selector(service: &Value) -> Option<Selector> {
    let labels = service.texts("spec.selector");
    (!labels.is_empty() && service.text("spec.type") != "ExternalName").then(|| Selector::from_map(&labels))
}

/// The pods of a service that have an address and have not ended.
pub fn pods_behind(service: &Value, selector: &Selector, world: &dyn World) -> Vec<Arc<Value>> {
    let mut pods = world.list(POD, Some(service.namespace()));
    pods.retain(|pod| {
        selector.matches(pod) && !pod.text("status.podIP").is_empty() && !matches!(pod.text("status.phase"), "Succeeded" | "Failed")
    });
    pods
}

/// The number of a service's port on one pod; `None` where the pod has no port of that name.
pub fn port_on(pod: &Value, port: &Value) -> Option<i64> {
    let target = match port.at("targetPort") {
        None => return port.int("port"),
        Some(Value::String(name)) => name,
        Some(number) => return number.as_i64().filter(|number| *number > 0).or_else(|| port.int("port")),
    };
    let protocol = |value: &Value| if value.text("protocol").is_empty() { "TCP".to_owned() } else { value.text("protocol").to_owned() };
    let containers = pod.items("spec.containers").iter().chain(pod.items("spec.initContainers"));
    let mut ports = containers.flat_map(|container| container.items("ports"));
    ports
        .find(|candidate| candidate.text("name") == target && protocol(candidate) == protocol(port))
        .and_then(|port| port.int("containerPort"))
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(service) = world.find(reference).filter(|service| !service.is_terminating()) else { return Step::done() };
    let Some(selector) = selector(&service) else { return Step::done() };
    let existing = world.controlled(ENDPOINT_SLICE, service.namespace(), service.uid());
    let mut wanted = slices(&service, &selector, world);
    let mut writes = Vec::new();
    for slice in existing.iter().filter(|slice| slice.label("endpointslice.kubernetes.io/managed-by") == Some(MANAGER)) {
        match wanted.remove(slice.name()) {
            Some(want) => writes.extend(changed(slice, &want).map(|slice| Write::Update(ENDPOINT_SLICE, slice))),
            None => writes.push(Write::Delete {
                object: ObjectRef::of(ENDPOINT_SLICE, slice),
                uid: slice.uid().to_owned(),
                propagation: "Background",
                now: true,
            }),
        }
    }
    writes.extend(wanted.into_values().map(|slice| Write::Create(ENDPOINT_SLICE, slice)));
    Step::write(writes)
}

fn changed(slice: &Value, want: &Value) -> Option<Value> {
    let mut next = slice.clone();
    for field in ["endpoints", "ports"] {
        next[field] = want[field].clone();
    }
    next["metadata"]["labels"] = want["metadata"]["labels"].clone();
    (next != *slice).then_some(next)
}

fn slices(service: &Value, selector: &Selector, world: &dyn World) -> BTreeMap<String, Value> {
    // Pods that give a named port another number stand in slices of their own.
    let mut groups: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
    for pod in pods_behind(service, selector, world) {
        let ports: Value = service.items("spec.ports").iter().filter_map(|port| Some(slice_port(port, port_on(&pod, port)?))).collect();
        groups.entry(ports.to_string()).or_insert_with(|| (ports, Vec::new())).1.push(endpoint(service, &pod));
    }
    if groups.is_empty() {
        groups.insert(String::new(), (json!(null), Vec::new()));
    }
    let mut slices = BTreeMap::new();
    for (ports, endpoints) in groups.into_values() {
        let chunks: Vec<&[Value]> = if endpoints.is_empty() { vec![&[]] } else { endpoints.chunks(SLICE_SIZE).collect() };
        for (index, chunk) in chunks.into_iter().enumerate() {
            let slice = slice(service, &ports, chunk, index);
            slices.insert(slice.name().to_owned(), slice);
        }
    }
    slices
}

fn slice(service: &Value, ports: &Value, endpoints: &[Value], index: usize) -> Value {
    let hash = workload::hash(&json!([service.uid(), ports, index]));
    let mut labels = service.at("metadata.labels").cloned().unwrap_or_else(|| json!({}));
    labels["endpointslice.kubernetes.io/managed-by"] = json!(MANAGER);
    labels["kubernetes.io/service-name"] = json!(service.name());
    if service.text("spec.clusterIP") == "None" {
        labels["service.kubernetes.io/headless"] = json!("");
    }
    // Names end at 63 characters where they serve as labels.
    let stem: String = service.name().chars().take(57).collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{stem}-{}", &hash[..5]), "namespace": service.namespace(), "labels": labels,
            "ownerReferences": [workload::controller_reference(SERVICE, service)]},
        "endpoints": endpoints, "ports": ports})
}

fn slice_port(port: &Value, number: i64) -> Value {
    let protocol = if port.text("protocol").is_empty() { "TCP" } else { port.text("protocol") };
    let mut made = json!({"name": port.text("name"), "port": number, "protocol": protocol});
    if let Some(app) = port.at("appProtocol") {
        made["appProtocol"] = app.clone();
    }
    made
}

fn endpoint(service: &Value, pod: &Value) -> Value {
    let serving = is_ready(pod) || service.flag("spec.publishNotReadyAddresses");
    let terminating = pod.is_terminating();
    let ready = service.flag("spec.publishNotReadyAddresses") || (serving && !terminating);
    let mut endpoint = json!({"addresses": [pod.text("status.podIP")],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid()}});
    if !pod.text("spec.nodeName").is_empty() {
        endpoint["nodeName"] = json!(pod.text("spec.nodeName"));
    }
    if !pod.text("spec.hostname").is_empty() && pod.text("spec.subdomain") == service.name() {
        endpoint["hostname"] = json!(pod.text("spec.hostname"));
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn service() -> Value {
        json!({"metadata": {"name": "web", "namespace": "d", "uid": "s"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}})
    }

    fn pod(name: &str, port: i64) -> Value {
        json!({"metadata": {"name": name, "namespace": "d", "uid": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]}})
    }

    #[test]
    fn follows_readiness_and_termination() {
        let mut world = TestWorld::with(&[(SERVICE, service()), (POD, pod("a", 5000))]);
        world.settle(&CONTROLLER);
        assert!(world.list(ENDPOINT_SLICE, None)[0].items("endpoints").is_empty(), "no address yet");
        world.ready("a");
        world.settle(&CONTROLLER);
        let slices = world.list(ENDPOINT_SLICE, None);
        let filled = slices.iter().find(|slice| !slice.items("endpoints").is_empty()).expect("filled");
        assert_eq!(filled.items("ports")[0].int("port"), Some(5000));
        assert!(filled.items("endpoints")[0].flag("conditions.ready"));
        world.change(POD, "d", "a", |pod| pod.set("metadata.deletionTimestamp", "2026-01-01T00:00:00Z"));
        world.settle(&CONTROLLER);
        let slices = world.list(ENDPOINT_SLICE, None);
        let conditions = &slices[0].items("endpoints")[0]["conditions"];
        assert_eq!(*conditions, json!({"ready": false, "serving": true, "terminating": true}));
    }

    #[test]
    fn pods_with_other_port_numbers_have_slices_of_their_own() {
        let mut world = TestWorld::with(&[(SERVICE, service()), (POD, pod("a", 5000)), (POD, pod("b", 5001))]);
        world.run_pods();
        world.settle(&CONTROLLER);
        assert_eq!(world.list(ENDPOINT_SLICE, None).len(), 2);
    }
}
