//! Takes news into the state; decides nothing that can wait for the rest of the step.

use super::{Hook, News, StartFault, Turn, ending, pulls};
use crate::pod::Role;
use crate::state::{Backoff, ContainerRun, EndStage, Ended, PodRuntimeState, Stage, StopStep, Task};
use base::Timestamp;
use std::net::Ipv4Addr;
use std::time::Duration;

const HALF_SECOND: Duration = Duration::from_millis(500);

pub(super) fn absorb(state: &mut PodRuntimeState, turn: &mut Turn<'_>, news: &News) {
    match news {
        News::Adopted { runtime, messages, ip } => {
            adopted(state, turn, runtime.as_ref(), *ip);
            for (name, (attempt, seen)) in runtime.iter().flat_map(|seen| &seen.containers) {
                if let (Some(run), runtime::ContainerState::Exited(exit)) = (state.containers.get_mut(name), seen) {
                    exited(run, *attempt, exit, messages.get(name).map_or("", String::as_str));
                }
            }
        }
        News::VolumesReady { refresh_at } => {
            (state.volumes, state.refreshing, state.refresh_at) = (Task::Done, false, *refresh_at);
        }
        News::VolumesFailed(message) => volumes_failed(state, turn, message),
        News::NetworkReady(ip) => (state.network, state.ip) = (Task::Done, Some(*ip)),
        News::NetworkFailed(message) => sandbox_failed(&mut state.network, turn, message),
        News::SandboxReady => state.sandbox = Task::Done,
        News::SandboxFailed(message) => sandbox_failed(&mut state.sandbox, turn, message),
        News::ShimGone => shim_gone(state, turn),
        News::Measured { took, over } => super::disk::measured(state, turn, *took, over.as_ref()),
        News::Withdrawn(result) => ended_task(state, turn, EndStage::Withdrawing, "FailedWithdraw", result),
        News::Removed(result) => ended_task(state, turn, EndStage::Removing, "FailedKillPod", result),
        News::Deleted(result) => ended_task(state, turn, EndStage::Deleting, "FailedDelete", result),
        News::DependencyChanged => dependency_changed(state, turn.now),
        News::PullSecretChanged => {
            state.containers.values_mut().for_each(|run| pulls::again(&mut state.pulls, run, turn.now, true));
        }
        News::ImageWanted { container, .. }
        | News::ImagePulled { container, .. }
        | News::NotStarted { container, fault: StartFault::Image(_), .. } => {
            if let Some(run) = state.containers.get_mut(container) {
                pulls::of_container(&mut state.pulls, run, turn, container, news);
            }
        }
        News::Started { container, .. }
        | News::NotStarted { container, .. }
        | News::Exited { container, .. }
        | News::Resized { container, .. }
        | News::HookDone { container, .. }
        | News::Probed { container, .. } => {
            if let Some(mut run) = state.containers.remove(container) {
                of_container(&mut run, turn, container, news);
                if matches!(news, News::Started { .. }) && state.sandbox != Task::Done {
                    // Started in a shim that has ended since.
                    lose(&mut run, turn.now);
                }
                state.containers.insert(container.clone(), run);
            }
        }
    }
}

fn of_container(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, news: &News) {
    match news {
        News::Started { attempt, .. } if *attempt == run.runs && run.stage == Stage::Starting => started(run, turn, name, news),
        News::NotStarted { attempt, fault, .. } if *attempt == run.runs && run.stage == Stage::Starting => {
            not_started(run, turn, name, fault);
        }
        News::Resized { attempt, resources, result, .. } if run.attempt() == Some(*attempt) && run.is_running() => {
            super::resize::resized(run, turn, name, resources, result);
        }
        News::Exited { attempt, exit, message, .. } => exited(run, *attempt, exit, message),
        News::HookDone { attempt, hook, result, .. } if run.attempt() == Some(*attempt) => hook_done(run, turn, name, *hook, result),
        News::Probed { attempt, kind, result, .. } if run.attempt() == Some(*attempt) && run.is_running() => {
            super::probes::probed(run, turn, name, *kind, result);
        }
        _ => {}
    }
}

fn started(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, news: &News) {
    let News::Started { pid, at, image_id, image, resources, .. } = news else { return };
    let attempt = run.runs;
    run.runs += 1;
    run.failures = 0;
    (run.image_id, run.image, run.resources) = (image_id.clone(), image.clone(), Some(resources.clone()));
    run.stage = Stage::Running { since: *at, pid: *pid };
    run.probes = Default::default();
    if !run.fresh {
        let present = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
        turn.event(false, "Pulled", present, Some(name));
    }
    turn.event(false, "Created", format!("Created container: {name}"), Some(name));
    turn.event(false, "Started", format!("Started container {name}"), Some(name));
    if let Some((exit, message)) = run.early.take() {
        exited(run, attempt, &exit, &message);
        return;
    }
    if turn.pod.container(name).is_some_and(|container| container.post_start.is_some()) {
        run.hook_pending = true;
        turn.act(super::PodAction::RunHook { container: name.to_owned(), attempt, hook: Hook::PostStart, timeout: None });
    }
}

fn not_started(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, fault: &StartFault) {
    run.failures = run.failures.saturating_add(1);
    let (reason, message) = match fault {
        StartFault::Config(message) => ("CreateContainerConfigError", message),
        StartFault::Create(message) => ("CreateContainerError", message),
        StartFault::Host(message) => ("RunContainerError", message),
        StartFault::Program(message) => {
            turn.event(true, "Failed", format!("Error: {message}"), Some(name));
            return program_failed(run, turn, name, message);
        }
        StartFault::Image(_) => return,
    };
    let until = Some(turn.now.plus(retry_delay(run.failures)));
    run.stage = Stage::Waiting { reason: reason.to_owned(), message: message.clone(), until };
    turn.event(true, "Failed", format!("Error: {message}"), Some(name));
}

/// The container existed, but its program never ran: exit code 128, as the kubelet writes it. The cause stays in sight while it waits.
fn program_failed(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, message: &str) {
    let ended = Ended {
        attempt: run.runs,
        code: 128,
        signal: None,
        reason: "StartError".into(),
        message: message.to_owned(),
        started: Timestamp::default(),
        finished: turn.now,
    };
    run.runs += 1;
    run.end(ended);
    let restarts = turn.pod.container(name).is_some_and(|container| container.restarts_after(128));
    if restarts && let Some(until) = run.backoff.until(turn.now) {
        run.stage = Stage::Waiting { reason: "RunContainerError".into(), message: message.to_owned(), until: Some(until) };
    }
}

/// Delay after so many failures to make a configuration or a container: 10 s doubling to 300 s.
fn retry_delay(failures: u32) -> Duration {
    Duration::from_secs(10u64.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(300))
}

fn exited(run: &mut ContainerRun, attempt: u32, exit: &runtime::Exit, message: &str) {
    if run.stage == Stage::Starting && attempt == run.runs {
        run.early = Some((exit.clone(), message.to_owned()));
        return;
    }
    if !run.is_running() || run.attempt() != Some(attempt) {
        return;
    }
    let reason = match exit {
        exit if exit.oom_killed => "OOMKilled",
        exit if exit.code == 0 => "Completed",
        _ => "Error",
    };
    run.end(Ended {
        attempt,
        code: exit.code,
        signal: exit.signal,
        reason: reason.into(),
        message: message.to_owned(),
        started: exit.started,
        finished: exit.finished,
    });
}

fn hook_done(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, hook: Hook, result: &Result<(), String>) {
    match hook {
        Hook::PostStart => {
            run.hook_pending = false;
            let (Err(why), true, Some(container)) = (result, run.is_running() && run.stop.is_none(), turn.pod.container(name)) else {
                return;
            };
            turn.event(true, "FailedPostStartHook", format!("PostStartHook failed: {why}"), Some(name));
            let deadline = turn.now.plus(grace(turn));
            super::begin_stop(run, container, turn, deadline, "FailedPostStartHook");
        }
        Hook::PreStop => {
            if let Err(why) = result {
                turn.event(true, "FailedPreStopHook", format!("PreStopHook failed: {why}"), Some(name));
            }
            let Some(stop) = run.stop.as_mut().filter(|stop| stop.step == StopStep::Hook) else { return };
            // Two seconds at least, however long the hook took. Source: kubelet `minimumGracePeriodInSeconds`.
            stop.deadline = stop.deadline.max(turn.now.plus(Duration::from_secs(2)));
            stop.step = StopStep::Term;
            turn.act(super::PodAction::Terminate { container: name.to_owned() });
        }
    }
}

/// The grace of a stop that is not the pod's own end.
pub(super) fn grace(turn: &Turn<'_>) -> Duration {
    Duration::from_secs(u64::try_from(turn.pod.grace_seconds.max(1)).unwrap_or(1))
}

fn volumes_failed(state: &mut PodRuntimeState, turn: &mut Turn<'_>, message: &str) {
    turn.event(true, "FailedMount", message, None);
    if state.refreshing {
        // What is mounted stays as it is; another try in a while.
        state.refreshing = false;
        state.refresh_at = Some(turn.now.plus(Duration::from_secs(60)));
    } else {
        state.volumes.fail(message.to_owned(), turn.now, HALF_SECOND);
    }
}

fn sandbox_failed(task: &mut Task, turn: &mut Turn<'_>, message: &str) {
    task.fail(message.to_owned(), turn.now, HALF_SECOND);
    turn.event(true, "FailedCreatePodSandBox", format!("Failed to create pod sandbox: {message}"), None);
}

fn ended_task(state: &mut PodRuntimeState, turn: &mut Turn<'_>, stage: EndStage, reason: &'static str, result: &Result<(), String>) {
    let Some(ending) = state.ending.as_mut().filter(|ending| ending.stage == stage) else { return };
    match (result, stage) {
        (Err(why), _) => {
            ending.task.fail(why.clone(), turn.now, HALF_SECOND);
            turn.event(true, reason, why.as_str(), None);
        }
        (Ok(()), EndStage::Removing) => {
            (state.volumes, state.network, state.sandbox) = (Task::Idle, Task::Idle, Task::Idle);
            ending::advance(state, EndStage::Removed);
        }
        (Ok(()), _) => ending.task = Task::Done,
    }
}

fn dependency_changed(state: &mut PodRuntimeState, now: Timestamp) {
    state.stale = true;
    if let Task::Failed { retry_at, .. } = &mut state.volumes {
        *retry_at = now;
    }
    for run in state.containers.values_mut() {
        pulls::again(&mut state.pulls, run, now, false);
        if let Stage::Waiting { reason, until: Some(until), .. } = &mut run.stage
            && reason == "CreateContainerConfigError"
        {
            *until = now;
        }
    }
}

fn lose(run: &mut ContainerRun, now: Timestamp) {
    let Stage::Running { since, .. } = run.stage else { return };
    let attempt = run.attempt().unwrap_or(0);
    run.end(Ended {
        attempt,
        code: 137,
        signal: Some(9),
        reason: "Error".into(),
        message: "the pod's shim ended, and the container with it".into(),
        started: since,
        finished: now,
    });
}

fn shim_gone(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    if !state.sandbox.is_done() && !state.containers.values().any(ContainerRun::is_running) {
        return;
    }
    state.sandbox = Task::Idle;
    for run in state.containers.values_mut() {
        lose(run, turn.now);
    }
    if state.ending.is_some() || ending::is_complete(state, turn) {
        return;
    }
    turn.event(true, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created: the pod's shim ended", None);
    // As after any new sandbox, init containers run again before the others.
    state.initialized = false;
    for container in turn.pod.with_role(Role::Init) {
        if let Some(run) = state.containers.get_mut(&container.name).filter(|run| run.stage == Stage::Ended) {
            run.stage = Stage::default();
        }
    }
}

/// Sorts out what an earlier process left: what it was waiting for is asked for again, what runs goes on.
fn adopted(state: &mut PodRuntimeState, turn: &mut Turn<'_>, seen: Option<&runtime::PodState>, ip: Option<Ipv4Addr>) {
    state.volumes = Task::Idle;
    state.network = ip.map_or(Task::Idle, |_| Task::Done);
    state.ip = ip.or(state.ip);
    if let Some(ending) = &mut state.ending {
        ending.task = Task::Idle;
        if matches!(ending.stage, EndStage::Stopping) {
            ending.stage = EndStage::Withdrawing;
        }
    }
    // A shim whose link is gone is in a namespace that nobody reaches any more.
    let linked = ip.is_some() || turn.pod.host_network || state.ending.is_some();
    let alive = seen.is_some_and(|seen| seen.shim_pid.is_some()) && linked;
    let had = state.sandbox.is_done() || state.containers.values().any(ContainerRun::is_running);
    if seen.is_some() && state.sandboxes == 0 {
        state.sandboxes = 1;
    }
    state.sandbox = if alive { Task::Done } else { Task::Idle };
    for (name, run) in &mut state.containers {
        adopt_container(run, turn, name, seen.and_then(|seen| seen.containers.get(name)));
    }
    if !alive && had {
        // It ended with the engine or the machine, not of itself: nothing to hold it back for.
        state.containers.values_mut().for_each(|run| run.backoff = Backoff::default());
        state.sandbox = Task::Done;
        shim_gone(state, turn);
    }
}

fn adopt_container(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, seen: Option<&(u32, runtime::ContainerState)>) {
    run.hook_pending = false;
    if let Some(stop) = run.stop.as_mut().filter(|stop| stop.step == StopStep::Hook) {
        stop.step = StopStep::Term;
        turn.act(super::PodAction::Terminate { container: name.to_owned() });
    }
    // Started by a process that did not live to note it.
    if let (Stage::Starting | Stage::Waiting { .. }, Some((attempt, found))) = (&run.stage, seen)
        && *attempt >= run.runs
    {
        run.runs = *attempt;
        let since = match found {
            runtime::ContainerState::Running { started, .. } => *started,
            runtime::ContainerState::Exited(exit) => exit.started,
        };
        run.runs += 1;
        run.stage = Stage::Running { since, pid: 0 };
        if run.image.is_empty() {
            run.image = turn.pod.container(name).map(|container| container.image.clone()).unwrap_or_default();
        }
    }
    match (&mut run.stage, seen) {
        (Stage::Running { since, pid }, Some((attempt, runtime::ContainerState::Running { pid: found, started })))
            if attempt + 1 == run.runs =>
        {
            (*since, *pid) = (*started, *found);
        }
        // A pull that was cut left whole layers, which the next one finds.
        (Stage::Starting | Stage::Pulling, _) => run.stage = Stage::default(),
        _ => {}
    }
}
