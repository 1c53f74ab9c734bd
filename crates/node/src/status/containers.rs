//! One entry of `containerStatuses` or `initContainerStatuses`.

use crate::pod::{Container, Pod, Role};
use crate::state::{ContainerRun, EndStage, Ended, PodRuntimeState, Stage};
use k8s::{Fields, Value};
use serde_json::json;

pub(super) fn entry(pod: &Pod, container: &Container, state: &PodRuntimeState) -> Value {
    let empty = ContainerRun::default();
    let run = state.containers.get(&container.name).unwrap_or(&empty);
    let (now, last) = states(pod, container, state, run);
    let ready = super::is_ready(pod, &container.name, run);
    let image = if run.image.is_empty() { &container.image } else { &run.image };
    let mut entry = json!({
        "name": container.name,
        "state": now,
        "lastState": last,
        "ready": ready,
        "restartCount": run.runs.saturating_sub(1),
        "image": image,
        "imageID": run.image_id,
        "started": container.role != Role::Init && run.is_running() && run.started,
    });
    if let Some(attempt) = run.attempt() {
        entry["containerID"] = json!(super::container_id(&pod.uid, &container.name, attempt));
    }
    if run.is_running()
        && let Some(resources) = run.resources.as_ref().or_else(|| pod.raw(container).at("resources"))
    {
        // What it runs with; what it should have stands in the spec.
        entry["resources"] = resources.clone();
        if let Some(requests) = resources.at("requests") {
            entry["allocatedResources"] = requests.clone();
        }
    }
    entry
}

/// `state` and `lastState`.
fn states(pod: &Pod, container: &Container, state: &PodRuntimeState, run: &ContainerRun) -> (Value, Value) {
    let shown = |ended: Option<&Ended>| ended.map_or_else(|| json!({}), |ended| terminated(pod, container, ended));
    let over = state.ending.as_ref().is_some_and(|ending| ending.stage >= EndStage::Removing);
    match &run.stage {
        Stage::Running { since, .. } => (json!({"running": {"startedAt": since.rfc3339()}}), shown(run.ended.as_ref())),
        Stage::Ended => (shown(run.ended.as_ref()), shown(run.before.as_ref())),
        // Between an end and the start after it the end is what is known.
        Stage::Starting | Stage::Pulling if run.ended.is_some() => (shown(run.ended.as_ref()), shown(run.before.as_ref())),
        Stage::Waiting { .. } if over && run.ended.is_some() => (shown(run.ended.as_ref()), shown(run.before.as_ref())),
        Stage::Waiting { reason, .. } if reason.is_empty() && run.ended.is_some() => {
            (shown(run.ended.as_ref()), shown(run.before.as_ref()))
        }
        Stage::Waiting { reason, message, .. } if !reason.is_empty() => {
            (json!({"waiting": {"reason": reason, "message": message}}), shown(run.ended.as_ref()))
        }
        Stage::Waiting { .. } | Stage::Starting | Stage::Pulling => (json!({"waiting": waiting(pod, container, state)}), json!({})),
    }
}

/// What a container that never ran waits for. What keeps the whole pod is said here too: people look at containers first.
fn waiting(pod: &Pod, container: &Container, state: &PodRuntimeState) -> Value {
    let first = pod.containers.iter().any(|other| other.role.is_init());
    let reason = if first && !state.initialized && container.role == Role::Main { "PodInitializing" } else { "ContainerCreating" };
    let reason = if container.role.is_init() { "PodInitializing" } else { reason };
    let trouble = [&state.network, &state.sandbox, &state.volumes].into_iter().find_map(|task| task.error());
    match trouble {
        Some(message) => json!({"reason": reason, "message": message}),
        None => json!({"reason": reason}),
    }
}

fn terminated(pod: &Pod, container: &Container, ended: &Ended) -> Value {
    let mut entry = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": ended.started.rfc3339(),
        "finishedAt": ended.finished.rfc3339(),
        "containerID": super::container_id(&pod.uid, &container.name, ended.attempt),
    });
    if let Some(signal) = ended.signal {
        entry["signal"] = json!(signal);
    }
    if !ended.message.is_empty() {
        entry["message"] = json!(ended.message);
    }
    json!({"terminated": entry})
}
