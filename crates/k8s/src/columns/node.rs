//! Nodes.

use super::cells::{age, or_none};
use super::{AGE, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

pub(super) static NODE: Printer = Printer {
    kind: kinds::NODE,
    columns: &[
        NAME,
        text("Status", "Whether it takes pods."),
        text("Roles", "What it is for."),
        AGE,
        text("Version", "The version of its kubelet."),
        wide("Internal-IP", "Its address inside."),
        wide("External-IP", "Its address outside."),
        wide("OS-Image", "Its system."),
        wide("Kernel-Version", "Its kernel."),
        wide("Container-Runtime", "What runs its containers."),
    ],
    cells,
};

fn cells(node: &Value, now: Timestamp) -> Vec<Value> {
    let ready = match node.condition("Ready").map(|condition| condition.text("status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = if node.flag("spec.unschedulable") { ",SchedulingDisabled" } else { "" };
    let info = |member: &str| node.text(&format!("status.nodeInfo.{member}"));
    let known = |member: &str| if info(member).is_empty() { "<unknown>".to_owned() } else { info(member).to_owned() };
    let architecture = if info("architecture").is_empty() { String::new() } else { format!(" ({})", info("architecture")) };
    vec![
        json!(node.name()),
        json!(format!("{ready}{cordoned}")),
        or_none(&roles(node).join(",")),
        age(node, now),
        json!(info("kubeletVersion")),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        json!(known("osImage")),
        json!(format!("{}{architecture}", known("kernelVersion"))),
        json!(known("containerRuntimeVersion")),
    ]
}

fn roles(node: &Value) -> Vec<&str> {
    let mut roles = Vec::new();
    for (key, value) in node.texts("metadata.labels") {
        roles.extend(key.strip_prefix("node-role.kubernetes.io/").filter(|role| !role.is_empty()));
        roles.extend((key == "kubernetes.io/role" && !value.is_empty()).then_some(value));
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

fn address(node: &Value, kind: &str) -> Value {
    let found = node.items("status.addresses").iter().find(|address| address.text("type") == kind);
    or_none(found.map_or("", |address| address.text("address")))
}
