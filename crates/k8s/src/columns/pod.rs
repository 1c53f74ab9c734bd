//! Pods: the status a person reads, from phase, conditions and every container's state.

use super::cells::{age, or_none, since};
use super::{AGE, Column, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

pub(super) static POD: Printer = Printer { kind: kinds::POD, columns: COLUMNS, cells };

const COLUMNS: &[Column] = &[
    NAME,
    text("Ready", "Containers that are ready, of all."),
    text("Status", "What the pod's containers do, in one word."),
    text("Restarts", "How often containers were started again, and when last."),
    AGE,
    wide("IP", "The pod's address."),
    wide("Node", "The node it runs on."),
    wide("Nominated Node", "The node that preemption makes room on."),
    wide("Readiness Gates", "Readiness gates that are open, of all."),
];

/// What a finished pod's row says of itself.
pub(super) fn conditions(pod: &Value) -> Option<Value> {
    match pod.text("status.phase") {
        "Succeeded" => Some(json!([{"type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod ended well."}])),
        "Failed" => Some(json!([{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}])),
        _ => None,
    }
}

struct Summary {
    ready: usize,
    reason: String,
    restarts: i64,
    last: Option<Timestamp>,
}

fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let init_specs = pod.items("spec.initContainers");
    let sidecars = init_specs.iter().filter(|container| is_sidecar(container)).count();
    let total = pod.items("spec.containers").len() + sidecars;
    let summary = summarize(pod);
    let restarts = match summary.last {
        Some(last) if summary.restarts != 0 => format!("{} ({} ago)", summary.restarts, since(Some(last), now)),
        _ => summary.restarts.to_string(),
    };
    let ip = pod.items("status.podIPs").first().map_or(pod.text("status.podIP"), |ip| ip.text("ip"));
    vec![
        json!(pod.name()),
        json!(format!("{}/{total}", summary.ready)),
        json!(summary.reason),
        json!(restarts),
        age(pod, now),
        or_none(ip),
        or_none(pod.text("spec.nodeName")),
        or_none(pod.text("status.nominatedNodeName")),
        gates(pod),
    ]
}

fn is_sidecar(container: &Value) -> bool {
    container.text("restartPolicy") == "Always"
}

fn gates(pod: &Value) -> Value {
    let gates = pod.items("spec.readinessGates");
    if gates.is_empty() {
        return or_none("");
    }
    let open = gates.iter().filter(|gate| is_true(pod, gate.text("conditionType"))).count();
    json!(format!("{open}/{}", gates.len()))
}

fn is_true(pod: &Value, condition: &str) -> bool {
    pod.condition(condition).is_some_and(|condition| condition.text("status") == "True")
}

fn summarize(pod: &Value) -> Summary {
    let phase = pod.text("status.phase");
    let reason = [pod.text("status.reason"), phase].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let gated = pod.condition("PodScheduled").is_some_and(|condition| condition.text("reason") == "SchedulingGated");
    let mut summary = Summary { ready: 0, reason: if gated { "SchedulingGated" } else { reason }.to_owned(), restarts: 0, last: None };
    let mut sidecars = Summary { ready: 0, reason: String::new(), restarts: 0, last: None };
    let initializing = initialize(pod, &mut summary, &mut sidecars);
    if !initializing || is_true(pod, "Initialized") {
        (summary.restarts, summary.last) = (sidecars.restarts, sidecars.last);
        run(pod, &mut summary);
    }
    if pod.is_terminating() {
        if pod.text("status.reason") == "NodeLost" {
            "Unknown".clone_into(&mut summary.reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut summary.reason);
        }
    }
    summary
}

fn count_restarts(summary: &mut Summary, status: &Value) {
    summary.restarts += status.int("restartCount").unwrap_or(0);
    summary.last = summary.last.max(status.time("lastState.terminated.finishedAt"));
}

fn ended(terminated: &Value) -> String {
    if !terminated.text("reason").is_empty() {
        return terminated.text("reason").to_owned();
    }
    match terminated.int("signal") {
        Some(signal) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", terminated.int("exitCode").unwrap_or(0)),
    }
}

// True when an init container is still to end; the reason then says which or why.
fn initialize(pod: &Value, summary: &mut Summary, sidecars: &mut Summary) -> bool {
    let specs = pod.items("spec.initContainers");
    for (at, status) in pod.items("status.initContainerStatuses").iter().enumerate() {
        let sidecar = specs.iter().any(|spec| spec.text("name") == status.text("name") && is_sidecar(spec));
        count_restarts(summary, status);
        if sidecar {
            count_restarts(sidecars, status);
        }
        let terminated = status.at("state.terminated");
        if terminated.is_some_and(|terminated| terminated.int("exitCode").unwrap_or(0) == 0) {
            continue;
        }
        if sidecar && status.flag("started") {
            summary.ready += usize::from(status.flag("ready"));
            continue;
        }
        let waiting = status.text("state.waiting.reason");
        summary.reason = match terminated {
            Some(terminated) => format!("Init:{}", ended(terminated)),
            None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
            None => format!("Init:{at}/{}", specs.len()),
        };
        return true;
    }
    false
}

fn run(pod: &Value, summary: &mut Summary) {
    let (mut running, mut failure) = (false, None);
    for status in pod.items("status.containerStatuses").iter().rev() {
        count_restarts(summary, status);
        let waiting = status.text("state.waiting.reason");
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if let Some(terminated) = status.at("state.terminated") {
            summary.reason = ended(terminated);
            if terminated.int("exitCode").unwrap_or(0) != 0 {
                failure = Some(summary.reason.clone());
            }
        } else if status.flag("ready") && status.at("state.running").is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        if running && is_true(pod, "Ready") {
            "Running".clone_into(&mut summary.reason);
        } else if let Some(failure) = failure {
            summary.reason = failure;
        } else if running {
            "NotReady".clone_into(&mut summary.reason);
        }
    }
}
