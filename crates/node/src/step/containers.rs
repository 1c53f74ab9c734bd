//! Init containers in order, then all others: which one starts, waits, or is to be replaced.

use super::{PodAction, Turn, begin_stop, ending, pulls, resize};
use crate::pod::{Container, Role};
use crate::state::{ContainerRun, FailedPull, PodRuntimeState, Stage};
use std::collections::BTreeMap;
use std::time::Duration;

type Pulls = BTreeMap<String, FailedPull>;

pub(super) fn drive(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    let ready = state.volumes.is_done() && state.sandbox.is_done();
    let pod = turn.pod;
    for container in pod.with_role(Role::Ephemeral) {
        // Without waiting for anything: it is there to look at what does not get on.
        if let Some(run) = state.containers.get_mut(&container.name) {
            keep_running(&state.pulls, run, container, turn, ready);
        }
    }
    for container in pod.containers.iter().filter(|container| container.role.is_init()) {
        let Some(run) = state.containers.get_mut(&container.name) else { continue };
        let finished = container.role == Role::Init && (state.initialized || run.exit_code() == Some(0));
        if finished {
            continue;
        }
        keep_running(&state.pulls, run, container, turn, ready);
        let through = container.role == Role::Sidecar && run.is_running() && run.started;
        if !state.initialized && !through {
            return;
        }
    }
    if !state.initialized && !ready {
        return;
    }
    state.initialized = true;
    for container in pod.with_role(Role::Main) {
        if let Some(run) = state.containers.get_mut(&container.name) {
            keep_running(&state.pulls, run, container, turn, ready);
        }
    }
}

/// Starts a container when it may, or says when it may.
fn keep_running(pulls: &Pulls, run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>, ready: bool) {
    match &run.stage {
        Stage::Starting | Stage::Pulling => {}
        Stage::Running { .. } => watch(run, container, turn),
        Stage::Waiting { until: Some(until), .. } if *until > turn.now && !pulls::is_for_another(run, container) => {
            let until = *until;
            pulls::announce(pulls, run, container, turn);
            turn.wake_at(until);
        }
        Stage::Waiting { .. } if ready => start(run, container, turn),
        Stage::Waiting { .. } => {}
        Stage::Ended => again(run, container, turn, ready),
    }
}

fn start(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>) {
    // Once for each end, however often its image or its configuration is tried.
    if let Some(ended) = run.ended.as_ref().filter(|ended| !run.replace && run.counted != Some(ended.attempt)) {
        run.backoff.next(ended.finished, turn.now);
        run.counted = Some(ended.attempt);
    }
    run.replace = false;
    run.stage = Stage::Starting;
    run.early = None;
    if run.wanted_image != container.image {
        run.wanted_image.clone_from(&container.image);
        run.pulled = None;
    }
    let image = run.pulled.take();
    run.fresh = image.is_some();
    turn.act(PodAction::Start { container: container.name.clone(), attempt: run.runs, image });
}

/// After an end: at once, after the back-off, or never.
fn again(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>, ready: bool) {
    let Some(ended) = &run.ended else { return };
    if !run.replace && !container.restarts_after(ended.code) {
        return;
    }
    let until = if run.replace { None } else { run.backoff.until(ended.finished) };
    match until.filter(|until| *until > turn.now) {
        None if ready => start(run, container, turn),
        None => {}
        Some(until) => {
            let delay = go_duration(run.backoff.delay);
            let message = format!("back-off {delay} restarting failed container={} pod={}", container.name, turn.pod.long_name());
            let told = format!("Back-off restarting failed container {} in pod {}", container.name, turn.pod.long_name());
            turn.event(true, "BackOff", told, Some(&container.name));
            run.stage = Stage::Waiting { reason: "CrashLoopBackOff".into(), message, until: Some(until) };
            turn.wake_at(until);
        }
    }
}

/// `10s`, `1m20s`, `5m0s`: as Go writes durations.
fn go_duration(delay: Duration) -> String {
    let seconds = delay.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// A running container: replaced when its image changed; a stop that has begun goes on.
fn watch(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>) {
    if run.stop.is_some() {
        ending::drive_stop(run, container, turn);
    } else if run.image != container.image {
        run.replace = true;
        let deadline = turn.now.plus(Duration::from_secs(turn.pod.grace_seconds.clamp(1, i64::from(u32::MAX)) as u64));
        let why = format!("Container {} definition changed, will be restarted", container.name);
        begin_stop(run, container, turn, deadline, &why);
    } else {
        resize::drive(run, container, turn);
    }
}
