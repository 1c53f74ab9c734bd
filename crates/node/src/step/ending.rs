//! The end of a pod: out of the rules, hooks, signals, grace, removal; and only then out of the API.

use super::setup::due;
use super::{PodAction, Turn, begin_stop};
use crate::pod::{Container, Role};
use crate::state::{ContainerRun, EndStage, Ending, PodRuntimeState, Stage, StopStep, Task};
use base::Timestamp;
use std::time::Duration;

/// Decides whether the pod ends, or ends sooner than was said.
pub(super) fn decide(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    check_deadline(state, turn);
    let leaving = turn.pod.deletion.is_some() || turn.gone;
    if !leaving && state.failure.is_none() && !is_complete(state, turn) {
        return;
    }
    // A kill without grace still gives a second, as the kubelet does.
    let grace = if turn.gone && turn.pod.deletion.is_none() { 1 } else { turn.pod.grace_seconds.max(1) };
    let deadline = turn.now.plus(Duration::from_secs(u64::try_from(grace).unwrap_or(1)));
    match &mut state.ending {
        None => state.ending = Some(Ending { deadline, grace_seconds: grace, stage: EndStage::Withdrawing, task: Task::Idle }),
        Some(ending) if grace < ending.grace_seconds => {
            ending.grace_seconds = grace;
            ending.deadline = ending.deadline.min(deadline);
            let until = ending.deadline;
            for run in state.containers.values_mut() {
                if let Some(stop) = &mut run.stop {
                    stop.deadline = stop.deadline.min(until);
                }
            }
        }
        Some(_) => {}
    }
}

fn check_deadline(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    let (Some(seconds), Some(start)) = (turn.pod.active_deadline_seconds, state.start_time) else { return };
    if state.ending.is_some() {
        return;
    }
    let deadline = start.plus(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    if deadline > turn.now {
        turn.wake_at(deadline);
        return;
    }
    let message = "Pod was active on the node longer than the specified deadline";
    turn.event(false, "DeadlineExceeded", message, None);
    state.failure = Some(("DeadlineExceeded".into(), message.into()));
}

/// Whether nothing of the pod will ever run again by itself.
pub(super) fn is_complete(state: &PodRuntimeState, turn: &Turn<'_>) -> bool {
    let over = |container: &Container| {
        let run = state.containers.get(&container.name);
        run.is_some_and(|run| !run.replace && run.exit_code().is_some_and(|code| !container.restarts_after(code)))
    };
    let failed_init = |container: &Container| {
        over(container) && state.containers.get(&container.name).and_then(ContainerRun::exit_code).is_some_and(|code| code != 0)
    };
    if !state.initialized && turn.pod.with_role(Role::Init).any(failed_init) {
        return true;
    }
    state.initialized && turn.pod.with_role(Role::Main).all(over)
}

pub(super) fn drive(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    loop {
        let Some(ending) = &mut state.ending else { return };
        let before = ending.stage;
        match before {
            EndStage::Withdrawing => withdraw(state, turn),
            EndStage::Stopping => stop(state, turn),
            EndStage::Removing => remove(state, turn),
            EndStage::Removed => {
                if turn.gone {
                    finish(state, turn);
                } else if turn.pod.deletion.is_some() {
                    advance(state, EndStage::Deleting);
                }
            }
            EndStage::Deleting if turn.gone => finish(state, turn),
            EndStage::Deleting => {
                if due(&mut ending.task, turn) {
                    turn.act(PodAction::Delete);
                }
            }
            EndStage::Gone => return,
        }
        if state.ending.as_ref().is_none_or(|ending| ending.stage == before) {
            return;
        }
    }
}

pub(super) fn advance(state: &mut PodRuntimeState, stage: EndStage) {
    if let Some(ending) = &mut state.ending {
        ending.stage = stage;
        ending.task = Task::Idle;
    }
}

fn finish(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    advance(state, EndStage::Gone);
    turn.act(PodAction::Forget);
}

fn withdraw(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    let ip = state.ip.filter(|_| state.network.is_done() && !turn.pod.host_network);
    let Some(ending) = &mut state.ending else { return };
    let Some(ip) = ip else { return advance(state, EndStage::Stopping) };
    // Past the grace it ends all the same: a pod that cannot be stopped is worse.
    let late = ending.task.error().is_some() && turn.now >= ending.deadline;
    if ending.task.is_done() || late {
        return advance(state, EndStage::Stopping);
    }
    if due(&mut ending.task, turn) {
        turn.act(PodAction::Withdraw(ip));
    }
}

fn stop(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    let Some(deadline) = state.ending.as_ref().map(|ending| ending.deadline) else { return };
    let pod = turn.pod;
    let mut busy = false;
    for container in pod.containers.iter().filter(|container| container.role != Role::Sidecar) {
        if let Some(run) = state.containers.get_mut(&container.name) {
            busy |= stop_one(run, container, turn, deadline);
        }
    }
    // Sidecars go last, in the reverse of the order in which they came.
    for container in pod.containers.iter().rev().filter(|container| container.role == Role::Sidecar) {
        if let Some(run) = state.containers.get_mut(&container.name).filter(|_| !busy) {
            busy |= stop_one(run, container, turn, deadline);
        }
    }
    if !busy {
        advance(state, EndStage::Removing);
    }
}

/// Stops a container; true while it is not over.
fn stop_one(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>, deadline: Timestamp) -> bool {
    match run.stage {
        Stage::Running { .. } if run.stop.is_none() => {
            begin_stop(run, container, turn, deadline, &format!("Stopping container {}", container.name));
            true
        }
        Stage::Running { .. } => {
            drive_stop(run, container, turn);
            true
        }
        Stage::Starting => true,
        // A pull goes on without the pod.
        Stage::Waiting { .. } | Stage::Pulling | Stage::Ended => false,
    }
}

/// Goes on with a stop: signal after the hook, SIGKILL after the deadline, again every two seconds.
pub(super) fn drive_stop(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>) {
    let Some(stop) = &mut run.stop else { return };
    let name = &container.name;
    match &stop.step {
        StopStep::Hook if turn.now >= stop.deadline => {
            stop.deadline = turn.now.plus(Duration::from_secs(2));
            stop.step = StopStep::Term;
            turn.act(PodAction::Terminate { container: name.clone() });
            turn.wake_at(stop.deadline);
        }
        StopStep::Kill { again } if *again > turn.now => {
            let at = *again;
            turn.wake_at(at);
        }
        StopStep::Term | StopStep::Kill { .. } if turn.now >= stop.deadline => {
            let again = turn.now.plus(Duration::from_secs(2));
            stop.step = StopStep::Kill { again };
            turn.act(PodAction::Kill { container: name.clone() });
            turn.wake_at(again);
        }
        StopStep::Hook | StopStep::Term | StopStep::Kill { .. } => turn.wake_at(stop.deadline),
    }
}

fn remove(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    // What is being made must be there before it can be removed.
    if state.volumes.is_busy() || state.network.is_busy() || (state.sandbox.is_busy() && state.sandboxes > 0) || state.refreshing {
        return;
    }
    if state.ending.as_mut().is_some_and(|ending| due(&mut ending.task, turn)) {
        turn.act(PodAction::Remove);
    }
}
