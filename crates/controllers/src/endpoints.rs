//! Endpoints: the older form of EndpointSlices, which tools still read.

use crate::endpoint_slice::{pods_behind, port_on, selector, services_of};
use crate::workload::{self, is_ready};
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{ENDPOINTS, POD, SERVICE};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeMap;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "endpoint-controller",
    watches: &[
        Watch { kind: SERVICE, concerns: |service, _| workload::itself(SERVICE, service) },
        Watch { kind: POD, concerns: services_of },
    ],
    step,
};

const LAST_CHANGE: &str = "endpoints.kubernetes.io/managed-by";

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let existing = world.get(ENDPOINTS, &reference.namespace, &reference.name);
    let Some(service) = world.find(reference).filter(|service| !service.is_terminating()) else {
        // The object bears its service's name and goes with it.
        let gone = existing.filter(|endpoints| endpoints.label(LAST_CHANGE) == Some("endpoint-controller"));
        let delete = |endpoints: std::sync::Arc<Value>| Write::Delete {
            object: ObjectRef::of(ENDPOINTS, &endpoints),
            uid: endpoints.uid().to_owned(),
            propagation: "Background",
            now: true,
        };
        return Step::write(gone.map(delete).into_iter().collect());
    };
    let Some(selector) = selector(&service) else { return Step::done() };
    let subsets = subsets(&service, &pods_behind(&service, &selector, world));
    let mut labels = service.at("metadata.labels").cloned().unwrap_or_else(|| json!({}));
    labels[LAST_CHANGE] = json!("endpoint-controller");
    if service.text("spec.clusterIP") == "None" {
        labels["service.kubernetes.io/headless"] = json!("");
    }
    let Some(existing) = existing else {
        let metadata = json!({"name": service.name(), "namespace": service.namespace(), "labels": labels});
        let mut made = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata});
        if !subsets.is_empty() {
            made["subsets"] = json!(subsets);
        }
        return Step::write(vec![Write::Create(ENDPOINTS, made)]);
    };
    let mut changed = (*existing).clone();
    changed["metadata"]["labels"] = labels;
    if subsets.is_empty() {
        changed.unset("subsets");
    } else {
        changed["subsets"] = json!(subsets);
    }
    if changed == *existing { Step::done() } else { Step::write(vec![Write::Update(ENDPOINTS, changed)]) }
}

fn subsets(service: &Value, pods: &[std::sync::Arc<Value>]) -> Vec<Value> {
    let mut groups: BTreeMap<String, Value> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| !pod.is_terminating() || service.flag("spec.publishNotReadyAddresses")) {
        let port = |port: &Value| {
            let mut made = json!({"port": port_on(pod, port)?, "protocol": if port.text("protocol").is_empty() { "TCP" } else { port.text("protocol") }});
            if !port.text("name").is_empty() {
                made["name"] = json!(port.text("name"));
            }
            Some(made)
        };
        let ports: Value = service.items("spec.ports").iter().filter_map(port).collect();
        let mut address = json!({"ip": pod.text("status.podIP"),
            "targetRef": {"kind": "Pod", "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid()}});
        if !pod.text("spec.nodeName").is_empty() {
            address["nodeName"] = json!(pod.text("spec.nodeName"));
        }
        if !pod.text("spec.hostname").is_empty() && pod.text("spec.subdomain") == service.name() {
            address["hostname"] = json!(pod.text("spec.hostname"));
        }
        let ready = is_ready(pod) || service.flag("spec.publishNotReadyAddresses");
        let list = if ready { "addresses" } else { "notReadyAddresses" };
        let subset = groups.entry(ports.to_string()).or_insert_with(|| json!({"ports": ports}));
        let mut addresses = subset.items(list).to_vec();
        addresses.push(address);
        subset[list] = json!(addresses);
    }
    groups.into_values().collect()
}
