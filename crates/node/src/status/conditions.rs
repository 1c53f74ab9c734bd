//! `status.conditions`. Source: kubelet `pkg/kubelet/status/generate.go`.

use crate::pod::{Pod, Role};
use crate::state::{ContainerRun, EndStage, PodRuntimeState, Resize};
use base::Timestamp;
use k8s::{Fields, Value};
use serde_json::json;

const OWN: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
/// Only there while resources change.
const PENDING: &str = "PodResizePending";
const IN_PROGRESS: &str = "PodResizeInProgress";

/// A condition that does not hold: reason and message.
type Unmet = Option<(&'static str, String)>;

/// All conditions: the node's own, then those of others as they are.
pub(super) fn all(pod: &Pod, state: &PodRuntimeState, (phase, last): (&str, Option<&Value>), now: Timestamp) -> Vec<Value> {
    let last = last.map_or_else(|| pod.object.items("status.conditions"), |last| last.items("conditions"));
    let sandbox = state.sandbox.is_done() && state.ending.as_ref().is_none_or(|ending| ending.stage < EndStage::Removed);
    let containers_ready = containers_ready(pod, state, phase);
    let ready = containers_ready.clone().or_else(|| gates(pod));
    let unmet: [Unmet; 5] = [(!sandbox).then(|| ("", String::new())), initialized(pod, state, phase), ready, containers_ready, None];
    let mut all: Vec<Value> = OWN.iter().zip(unmet).map(|(kind, unmet)| condition((pod, last), kind, unmet, now)).collect();
    all.extend(resizes(state).into_iter().map(|(kind, reason, message)| {
        let mut condition = condition((pod, last), kind, None, now);
        for (field, text) in [("reason", reason), ("message", message)].into_iter().filter(|(_, text)| !text.is_empty()) {
            condition[field] = json!(text);
        }
        condition
    }));
    let foreign = pod.object.items("status.conditions").iter().filter(|condition| !is_own(condition.text("type")));
    all.extend(foreign.cloned());
    all
}

/// Whether a condition is the node's to write; all others are kept as they are.
pub(crate) fn is_own(kind: &str) -> bool {
    OWN.contains(&kind) || [PENDING, IN_PROGRESS].contains(&kind)
}

/// Source: core/v1 `PodResizePending`, `PodResizeInProgress`.
fn resizes(state: &PodRuntimeState) -> Vec<(&'static str, &'static str, &str)> {
    let (mut pending, mut going) = (None, None);
    for run in state.containers.values() {
        match &run.resize {
            Resize::Settled => {}
            Resize::Going => going = going.or(Some((IN_PROGRESS, "", ""))),
            Resize::Failed { infeasible: true, message, .. } => pending = Some((PENDING, "Infeasible", message.as_str())),
            Resize::Failed { message, .. } => going = Some((IN_PROGRESS, "Error", message.as_str())),
        }
    }
    pending.into_iter().chain(going).collect()
}

fn condition((pod, last): (&Pod, &[Value]), kind: &str, unmet: Unmet, now: Timestamp) -> Value {
    let met = if unmet.is_none() { "True" } else { "False" };
    let old = last.iter().find(|old| old.text("type") == kind && old.text("status") == met);
    let since = old.map(|old| old.text("lastTransitionTime").to_owned()).filter(|text| !text.is_empty());
    let mut condition = json!({"type": kind, "status": met, "lastProbeTime": null,
        "lastTransitionTime": since.unwrap_or_else(|| now.rfc3339())});
    if pod.generation > 0 {
        condition["observedGeneration"] = json!(pod.generation);
    }
    if let Some((reason, message)) = unmet {
        for (field, text) in [("reason", reason), ("message", message.as_str())] {
            if !text.is_empty() {
                condition[field] = json!(text);
            }
        }
    }
    condition
}

fn names<'a>(containers: impl Iterator<Item = &'a str>) -> String {
    containers.collect::<Vec<_>>().join(" ")
}

fn initialized(pod: &Pod, state: &PodRuntimeState, phase: &str) -> Unmet {
    if state.initialized || phase == "Succeeded" {
        return None;
    }
    let through = |run: &ContainerRun, role| match role {
        Role::Init => run.exit_code() == Some(0),
        _ => run.is_running() && run.started,
    };
    let open = pod.containers.iter().filter(|container| container.role.is_init());
    let open: Vec<&str> = open
        .filter(|container| !state.containers.get(&container.name).is_some_and(|run| through(run, container.role)))
        .map(|container| container.name.as_str())
        .collect();
    (!open.is_empty()).then(|| ("ContainersNotInitialized", format!("containers with incomplete status: [{}]", names(open.into_iter()))))
}

fn containers_ready(pod: &Pod, state: &PodRuntimeState, phase: &str) -> Unmet {
    if phase == "Succeeded" {
        return Some(("PodCompleted", String::new()));
    }
    if phase == "Failed" {
        return Some(("PodFailed", String::new()));
    }
    let unready = pod.containers.iter().filter(|container| matches!(container.role, Role::Main | Role::Sidecar));
    let unready: Vec<&str> = unready
        .filter(|container| !state.containers.get(&container.name).is_some_and(|run| super::is_ready(pod, &container.name, run)))
        .map(|container| container.name.as_str())
        .collect();
    (!unready.is_empty()).then(|| ("ContainersNotReady", format!("containers with unready status: [{}]", names(unready.into_iter()))))
}

fn gates(pod: &Pod) -> Unmet {
    let unmet = |gate: &Value| {
        let kind = gate.text("conditionType");
        match pod.object.condition(kind) {
            None => Some(format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")),
            Some(condition) if condition.text("status") != "True" => {
                let status = condition.text("status");
                Some(format!("the status of pod readiness gate \"{kind}\" is not \"True\", but {status}"))
            }
            Some(_) => None,
        }
    };
    let unmet: Vec<String> = pod.object.items("spec.readinessGates").iter().filter_map(unmet).collect();
    (!unmet.is_empty()).then(|| ("ReadinessGatesNotReady", unmet.join(", ")))
}
