//! The scheduler: gives every pod a node that has room for it, or says why none has.

mod fit;

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{NODE, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS};
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::sync::Arc;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "default-scheduler",
    watches: &[
        Watch { kind: POD, concerns: of_pod },
        Watch { kind: NODE, concerns: |_, world| pending(world) },
        Watch { kind: PERSISTENT_VOLUME_CLAIM, concerns: |_, world| pending(world) },
    ],
    step,
};

const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

fn of_pod(pod: &Value, world: &dyn World) -> Vec<ObjectRef> {
    // A pod that goes leaves room for those that wait.
    if waits(pod) && world.find(&ObjectRef::of(POD, pod)).is_some() { vec![ObjectRef::of(POD, pod)] } else { pending(world) }
}

fn pending(world: &dyn World) -> Vec<ObjectRef> {
    world.list(POD, None).iter().filter(|pod| waits(pod)).map(|pod| ObjectRef::of(POD, pod)).collect()
}

fn waits(pod: &Value) -> bool {
    pod.text("spec.nodeName").is_empty()
        && matches!(pod.text("spec.schedulerName"), "" | "default-scheduler")
        && !pod.is_terminating()
        && pod.items("spec.schedulingGates").is_empty()
        && k8s::usage::pod_counts(pod)
}

fn step(reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
    let Some(pod) = world.find(reference).filter(|pod| waits(pod)) else { return Step::done() };
    let nodes = world.list(NODE, None);
    let node = match fit::choose(&pod, &nodes, world) {
        Ok(node) => node,
        Err(reason) => return Step::write(unschedulable(&pod, &reason, now)),
    };
    match claims(&pod, node, world) {
        Claims::Bound => Step::write(bind(&pod, node)),
        Claims::Waiting(writes) => Step::write(writes),
        Claims::Missing(reason) => Step::write(unschedulable(&pod, &format!("0/{} nodes are available: {reason}.", nodes.len()), now)),
    }
}

fn bind(pod: &Value, node: &str) -> Vec<Write> {
    let reference = ObjectRef::of(POD, pod);
    let message = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
    vec![
        Write::Bind { pod: reference.clone(), uid: pod.uid().to_owned(), node: node.to_owned() },
        Write::Event { regarding: reference, uid: pod.uid().to_owned(), warning: false, reason: "Scheduled", message },
    ]
}

fn unschedulable(pod: &Value, reason: &str, now: Timestamp) -> Vec<Write> {
    let known = pod.condition("PodScheduled");
    if known.is_some_and(|condition| condition.text("message") == reason && condition.text("status") == "False") {
        return Vec::new();
    }
    let since = known.filter(|condition| condition.text("status") == "False").and_then(|condition| condition.time("lastTransitionTime"));
    let mut conditions = pod.items("status.conditions").to_vec();
    conditions.retain(|condition| condition.text("type") != "PodScheduled");
    conditions.push(json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": reason,
        "lastProbeTime": null, "lastTransitionTime": since.unwrap_or(now).rfc3339()}));
    let mut changed = pod.clone();
    changed.set("status.conditions", conditions);
    vec![
        Write::UpdateStatus(POD, changed),
        Write::Event {
            regarding: ObjectRef::of(POD, pod),
            uid: pod.uid().to_owned(),
            warning: true,
            reason: "FailedScheduling",
            message: reason.to_owned(),
        },
    ]
}

enum Claims {
    Bound,
    Waiting(Vec<Write>),
    Missing(String),
}

fn claims(pod: &Value, node: &str, world: &dyn World) -> Claims {
    let mut waiting = false;
    let mut writes = Vec::new();
    let volumes = pod.items("spec.volumes").iter();
    for name in volumes.filter_map(|volume| volume.at("persistentVolumeClaim.claimName")).filter_map(Value::as_str) {
        let Some(claim) = world.get(PERSISTENT_VOLUME_CLAIM, pod.namespace(), name) else {
            return Claims::Missing(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if claim.is_terminating() {
            return Claims::Missing(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if claim.text("status.phase") != "Bound" {
            waiting = true;
            writes.extend(select_node(&claim, node, world));
        }
    }
    if waiting { Claims::Waiting(writes) } else { Claims::Bound }
}

fn select_node(claim: &Arc<Value>, node: &str, world: &dyn World) -> Option<Write> {
    let class = world.get(STORAGE_CLASS, "", claim.text("spec.storageClassName"))?;
    if class.text("volumeBindingMode") != "WaitForFirstConsumer" || claim.annotation(SELECTED_NODE) == Some(node) {
        return None;
    }
    let mut claim = (**claim).clone();
    claim.at_mut("metadata.annotations")[SELECTED_NODE] = json!(node);
    Some(Write::Update(PERSISTENT_VOLUME_CLAIM, claim))
}

#[cfg(test)]
mod tests;
