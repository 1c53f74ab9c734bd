//! The status of a pod as the kubelet writes it, made from its state. Pure.

mod conditions;
mod containers;
#[cfg(test)]
mod tests;

pub(crate) use conditions::is_own;

use crate::pod::{Pod, RestartPolicy, Role};
use crate::state::{ContainerRun, EndStage, PodRuntimeState, Stage};
use base::Timestamp;
use k8s::{Fields, Value};
use serde_json::json;
use std::net::IpAddr;

/// `containerID` of an attempt.
pub fn container_id(uid: &str, container: &str, attempt: u32) -> String {
    format!("wharf://{uid}.{container}.{attempt}")
}

/// `status` of the pod, keeping what others wrote into the one that `pod.object` has; `last` is the one built before, whose times of
/// transition stand where nothing changed.
pub fn build(pod: &Pod, state: &PodRuntimeState, last: Option<&Value>, host: IpAddr, now: Timestamp) -> Value {
    let mut status = pod.object.at("status").cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    let phase = phase(pod, state);
    status.set("phase", phase);
    for (field, text) in [("reason", state.failure.as_ref().map(|f| &f.0)), ("message", state.failure.as_ref().map(|f| &f.1))] {
        match text {
            Some(text) => status.set(field, text.as_str()),
            None => drop(status.unset(field)),
        }
    }
    status.set("hostIP", host.to_string());
    status.set("hostIPs", json!([{"ip": host.to_string()}]));
    let ip = if pod.host_network { Some(host) } else { state.ip.map(IpAddr::V4) };
    if let Some(ip) = ip.filter(|_| state.sandboxes > 0) {
        status.set("podIP", ip.to_string());
        status.set("podIPs", json!([{"ip": ip.to_string()}]));
    }
    if let Some(start) = state.start_time
        && status.at("startTime").is_none()
    {
        status.set("startTime", start.rfc3339());
    }
    if status.text("qosClass").is_empty() {
        status.set("qosClass", crate::container::qos(pod).name());
    }
    if pod.generation > 0 {
        status.set("observedGeneration", pod.generation);
    }
    let entries = |list: &str| -> Vec<Value> {
        let wanted = pod.containers.iter().filter(|container| container.role.list() == list);
        wanted.map(|container| containers::entry(pod, container, state)).collect()
    };
    for (field, entries) in
        [("initContainerStatuses", entries("initContainers")), ("ephemeralContainerStatuses", entries("ephemeralContainers"))]
    {
        if !entries.is_empty() {
            status.set(field, entries);
        }
    }
    status.set("containerStatuses", entries("containers"));
    let conditions = conditions::all(pod, state, (phase, last), now);
    status.set("conditions", conditions);
    status
}

/// Source: kubelet `getPhase`.
fn phase(pod: &Pod, state: &PodRuntimeState) -> &'static str {
    let run = |container: &crate::pod::Container| state.containers.get(&container.name);
    let over = state.ending.as_ref().is_some_and(|ending| ending.stage >= EndStage::Removing);
    let failed = |run: &ContainerRun| run.exit_code() != Some(0);
    if state.failure.is_some() {
        return if over { "Failed" } else { "Running" };
    }
    if over {
        let ran: Vec<_> = pod.with_role(Role::Main).filter_map(run).collect();
        return if ran.is_empty() || ran.into_iter().any(failed) { "Failed" } else { "Succeeded" };
    }
    if !state.initialized {
        let lost = |container: &crate::pod::Container| {
            container.restart == RestartPolicy::Never
                && run(container).and_then(ContainerRun::exit_code).is_some_and(|code| code != 0 && !container.restarts_after(code))
        };
        let had = pod.with_role(Role::Main).filter_map(run).any(|run| run.runs > 0);
        return match (pod.with_role(Role::Init).any(lost), had) {
            (true, _) => "Failed",
            (false, true) => "Running",
            (false, false) => "Pending",
        };
    }
    main_phase(pod, state)
}

fn main_phase(pod: &Pod, state: &PodRuntimeState) -> &'static str {
    let mut succeeded = true;
    let mut finished = true;
    for container in pod.with_role(Role::Main) {
        let Some(run) = state.containers.get(&container.name) else { return "Pending" };
        if run.runs == 0 {
            return "Pending";
        }
        match run.exit_code() {
            Some(code) if !container.restarts_after(code) => succeeded &= code == 0,
            _ => finished = false,
        }
    }
    match (finished, succeeded) {
        (false, _) => "Running",
        (true, true) => "Succeeded",
        (true, false) => "Failed",
    }
}

/// Whether a container counts as ready.
pub(crate) fn is_ready(pod: &Pod, name: &str, run: &ContainerRun) -> bool {
    let Some(container) = pod.container(name) else { return false };
    match container.role {
        Role::Init => return run.exit_code() == Some(0),
        // Nothing is led to it. Source: kubelet `UpdatePodStatus`.
        Role::Ephemeral => return false,
        Role::Main | Role::Sidecar => {}
    }
    matches!(run.stage, Stage::Running { .. }) && run.started && (container.probes.readiness.is_none() || run.ready_passed)
}
