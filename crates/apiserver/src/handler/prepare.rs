//! What the server itself writes into an object: metadata, generation, and what a writer may not touch.

use base::Timestamp;
use k8s::kinds::{
    DEPLOYMENT, ENDPOINT_SLICE, INGRESS_CLASS, NAMESPACE, NETWORK_POLICY, NODE, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD,
    POD_TEMPLATE, PRIORITY_CLASS, REPLICA_SET, REPLICATION_CONTROLLER, SERVICE,
};
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::{Map, json};

/// Kinds whose `metadata.generation` counts the changes of what is wanted. Source: the kinds' strategies in kubernetes `pkg/registry`.
const COUNTED: [&Kind; 9] =
    [DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, POD, POD_TEMPLATE, NETWORK_POLICY, INGRESS_CLASS, ENDPOINT_SLICE, PRIORITY_CLASS];

/// What an object's status is when it is new.
fn first_status(kind: &Kind) -> Option<Value> {
    let phase = |phase: &str| Some(json!({"phase": phase}));
    match kind {
        kind if *kind == *POD => phase("Pending"),
        kind if *kind == *NAMESPACE => phase("Active"),
        kind if *kind == *PERSISTENT_VOLUME_CLAIM => phase("Pending"),
        kind if *kind == *PERSISTENT_VOLUME => phase("Pending"),
        kind if *kind == *SERVICE => Some(json!({"loadBalancer": {}})),
        kind if *kind == *DEPLOYMENT => Some(json!({})),
        kind if *kind == *REPLICA_SET || *kind == *REPLICATION_CONTROLLER => Some(json!({"replicas": 0})),
        _ => None,
    }
}

/// Makes an object new: the server's own metadata, no status of the writer's.
///
/// # Errors
/// 400 for a `resourceVersion`.
pub fn create(kind: &'static Kind, namespace: &str, object: &mut Value, now: Timestamp) -> Result<(), ApiError> {
    if !object.resource_version().is_empty() {
        return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
    }
    for path in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation", "resourceVersion"] {
        object.unset(&format!("metadata.{path}"));
    }
    if kind.is_namespaced() {
        object.set("metadata.namespace", namespace);
    } else {
        object.unset("metadata.namespace");
    }
    let prefix = object.text("metadata.generateName").to_owned();
    if object.name().is_empty() && !prefix.is_empty() {
        // 58 characters of the prefix and 5 of ours make a label's 63.
        let prefix: String = prefix.chars().take(58).collect();
        object.set("metadata.name", format!("{prefix}{}", base::ids::suffix(5)));
    }
    object.set("metadata.uid", base::ids::uuid());
    object.set("metadata.creationTimestamp", now.rfc3339());
    if COUNTED.contains(&kind) {
        object.set("metadata.generation", 1);
    }
    if kind.has_status && kind != NODE {
        object.unset("status");
        if let Some(status) = first_status(kind) {
            object.set("status", status);
        }
    }
    if kind == NAMESPACE && object.items("spec.finalizers").is_empty() {
        object.set("spec.finalizers", json!(["kubernetes"]));
    }
    Ok(())
}

/// Completes a new object once everything else is filled in.
pub fn finish(kind: &'static Kind, object: &mut Value) {
    if kind == POD {
        let class = k8s::validate::pod::quality_of_service(object);
        object.set("status.qosClass", class);
    }
}

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the status, where that is a subresource.
    Main,
    /// The status and what metadata it may touch.
    Status,
    /// `spec.finalizers` of a namespace alone.
    Finalizers,
    /// `spec.ephemeralContainers` of a pod alone.
    Ephemeral,
    /// The resources of a pod's containers alone.
    Resize,
    /// Everything; for the server's own writes (binding, finalizing, deleting).
    Whole,
}

/// Keeps in `new` what a write of this part may not change.
pub fn update(kind: &'static Kind, part: Part, old: &Value, new: &mut Value) {
    let ours = [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
        "generateName",
        "name",
        "namespace",
    ];
    match part {
        Part::Whole => return,
        Part::Main => {
            if kind.has_status {
                keep(old, new, "status");
            }
            if kind == NAMESPACE {
                keep_at(old, new, "spec", "finalizers");
            }
        }
        Part::Finalizers => {
            let mut kept = old.clone();
            keep_at(new, &mut kept, "spec", "finalizers");
            keep_at(new, &mut kept, "metadata", "resourceVersion");
            *new = kept;
        }
        Part::Ephemeral => {
            let mut kept = old.clone();
            keep_at(new, &mut kept, "spec", "ephemeralContainers");
            keep_at(new, &mut kept, "metadata", "resourceVersion");
            *new = kept;
        }
        Part::Resize => {
            let mut kept = old.clone();
            for list in ["containers", "initContainers"] {
                resized(old, new, &mut kept, list);
            }
            keep_at(new, &mut kept, "metadata", "resourceVersion");
            *new = kept;
        }
        Part::Status => {
            let mut kept = old.clone();
            for (whole, name) in [(false, "status"), (true, "metadata")] {
                match new.member(name) {
                    Some(value) => kept.set(name, value.clone()),
                    None if whole => {}
                    None => drop(kept.unset(name)),
                }
            }
            keep_at(old, &mut kept, "metadata", "ownerReferences");
            *new = kept;
        }
    }
    for name in ours {
        keep_at(old, new, "metadata", name);
    }
}

/// Takes over resources only; a list of other containers as it is, so that it is refused for that.
fn resized(old: &Value, new: &Value, kept: &mut Value, list: &str) {
    let path = format!("spec.{list}");
    let (before, after) = (old.items(&path), new.items(&path));
    let same = before.len() == after.len() && before.iter().zip(after).all(|(old, new)| old.text("name") == new.text("name"));
    let mut containers = if same { before.to_vec() } else { after.to_vec() };
    for (container, new) in containers.iter_mut().zip(after) {
        keep(new, container, "resources");
    }
    if !containers.is_empty() {
        kept.set(&path, containers);
    }
}

fn keep(old: &Value, new: &mut Value, name: &str) {
    match old.member(name) {
        Some(value) => new.set(name, value.clone()),
        None => drop(new.unset(name)),
    }
}

fn keep_at(old: &Value, new: &mut Value, parent: &str, name: &str) {
    if !new.get(parent).is_some_and(Value::is_object) {
        new.set(parent, Value::Object(Map::new()));
    }
    if let Some(members) = new.get_mut(parent) {
        keep(old.member(parent).unwrap_or(&Value::Null), members, name);
    }
}

/// Counts a change of what is wanted.
pub fn count(kind: &'static Kind, old: &Value, new: &mut Value) {
    if !COUNTED.contains(&kind) {
        return;
    }
    let wanted = |object: &Value| -> Vec<(String, Value)> {
        let members = object.as_object().into_iter().flatten();
        let ours = |name: &str| matches!(name, "metadata" | "status" | "apiVersion" | "kind");
        members.filter(|(name, _)| !ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let went = old.is_terminating() != new.is_terminating();
    if went || wanted(old) != wanted(new) {
        new.set("metadata.generation", old.int("metadata.generation").unwrap_or(0) + 1);
    }
}
