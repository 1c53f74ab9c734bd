//! Statuses of states that come up.

use super::*;
use crate::state::{Ended, Ending, Task};
use std::net::Ipv4Addr;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

fn pod(spec: Value) -> Pod {
    Pod::of(Arc::new(json!({"metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 2}, "spec": spec})))
}

fn one() -> Pod {
    pod(json!({"containers": [{"name": "c", "image": "i"}]}))
}

fn state(container: ContainerRun) -> PodRuntimeState {
    PodRuntimeState {
        start_time: Some(NOW),
        volumes: Task::Done,
        network: Task::Done,
        sandbox: Task::Done,
        sandboxes: 1,
        ip: Some(Ipv4Addr::new(10, 42, 0, 5)),
        initialized: true,
        containers: [("c".to_owned(), container)].into(),
        ..Default::default()
    }
}

fn status(pod: &Pod, state: &PodRuntimeState) -> Value {
    build(pod, state, None, IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2)), NOW)
}

fn condition(status: &Value, kind: &str) -> (String, String) {
    let found = status.items("conditions").iter().find(|condition| condition.text("type") == kind).cloned().unwrap_or_default();
    (found.text("status").to_owned(), found.text("reason").to_owned())
}

fn ended(code: i32) -> Ended {
    Ended { attempt: 0, code, signal: None, reason: "Error".into(), message: "why".into(), started: NOW, finished: NOW }
}

#[test]
fn a_running_ready_pod() {
    let run = ContainerRun { runs: 1, stage: Stage::Running { since: NOW, pid: 3 }, started: true, ..Default::default() };
    let status = status(&one(), &state(run));
    assert_eq!(status.text("phase"), "Running");
    assert_eq!(status.text("podIP"), "10.42.0.5");
    assert_eq!(status.text("hostIP"), "192.168.1.2");
    assert_eq!(status.int("observedGeneration"), Some(2));
    assert_eq!(status.text("qosClass"), "BestEffort");
    for kind in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&status, kind).0, "True", "{kind}");
    }
    let container = &status.items("containerStatuses")[0];
    assert_eq!(container.text("containerID"), "wharf://u.c.0");
    assert!(container.flag("ready") && container.flag("started"));
}

#[test]
fn a_crash_loop_keeps_its_last_end() {
    let stage = Stage::Waiting { reason: "CrashLoopBackOff".into(), message: "back-off".into(), until: Some(NOW) };
    let run = ContainerRun { runs: 3, stage, ended: Some(ended(1)), ..Default::default() };
    let status = status(&one(), &state(run));
    let container = &status.items("containerStatuses")[0];
    assert_eq!(status.text("phase"), "Running");
    assert_eq!(container.text("state.waiting.reason"), "CrashLoopBackOff");
    assert_eq!(container.int("lastState.terminated.exitCode"), Some(1));
    assert_eq!(container.int("restartCount"), Some(2));
    assert_eq!(condition(&status, "Ready"), ("False".into(), "ContainersNotReady".into()));
}

#[test]
fn an_end_is_succeeded_or_failed() {
    for (code, phase, reason) in [(0, "Succeeded", "PodCompleted"), (1, "Failed", "PodFailed")] {
        let run = ContainerRun { runs: 1, stage: Stage::Ended, ended: Some(ended(code)), ..Default::default() };
        let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}));
        let mut state = state(run);
        assert_eq!(status(&pod, &state).text("phase"), phase);
        let end = Ending { deadline: NOW, grace_seconds: 1, stage: EndStage::Removed, task: Task::Idle };
        state.ending = Some(end);
        let status = status(&pod, &state);
        assert_eq!(status.text("phase"), phase);
        assert_eq!(condition(&status, "Ready"), ("False".into(), reason.into()));
        assert_eq!(condition(&status, "PodReadyToStartContainers").0, "False");
    }
}

#[test]
fn a_pod_that_waits_says_for_what() {
    let pod = pod(json!({"initContainers": [{"name": "i", "image": "i"}], "containers": [{"name": "c", "image": "i"}]}));
    let mut state = PodRuntimeState::default();
    state.volumes.fail("configmap \"x\" not found".into(), NOW, std::time::Duration::from_secs(1));
    let status = status(&pod, &state);
    assert_eq!(status.text("phase"), "Pending");
    assert_eq!(status.items("containerStatuses")[0].text("state.waiting.reason"), "PodInitializing");
    assert_eq!(status.items("containerStatuses")[0].text("state.waiting.message"), "configmap \"x\" not found");
    assert_eq!(condition(&status, "Initialized"), ("False".into(), "ContainersNotInitialized".into()));
    assert!(status.at("podIP").is_none());
}

#[test]
fn gates_and_foreign_conditions_are_kept_and_times_stand_still() {
    let run = ContainerRun { runs: 1, stage: Stage::Running { since: NOW, pid: 3 }, started: true, ..Default::default() };
    let mut pod = one();
    let mut object = (*pod.object).clone();
    object["spec"]["readinessGates"] = json!([{"conditionType": "x/y"}]);
    object["status"] = json!({"conditions": [{"type": "x/y", "status": "False"},
        {"type": "Initialized", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]});
    pod = Pod::of(Arc::new(object));
    let status = status(&pod, &state(run));
    assert_eq!(condition(&status, "Ready"), ("False".into(), "ReadinessGatesNotReady".into()));
    assert_eq!(condition(&status, "ContainersReady").0, "True");
    assert_eq!(condition(&status, "x/y").0, "False");
    let initialized = status.items("conditions").iter().find(|condition| condition.text("type") == "Initialized");
    assert_eq!(initialized.map(|condition| condition.text("lastTransitionTime")), Some("2020-01-01T00:00:00Z"));
}
