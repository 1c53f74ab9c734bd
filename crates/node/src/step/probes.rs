//! When to probe, and what the answers mean.

use super::{PodAction, ProbeKind, Turn, begin_stop};
use crate::pod::{Container, Handler, Probe};
use crate::state::{ContainerRun, PodRuntimeState, ProbeRun, Stage};
use base::Timestamp;
use std::time::Duration;

impl ProbeKind {
    /// A container's probe of this kind.
    pub fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.probes.startup.as_ref(),
            Self::Liveness => container.probes.liveness.as_ref(),
            Self::Readiness => container.probes.readiness.as_ref(),
        }
    }
}

/// Marks what has started: without a startup probe at once, but never before its postStart hook is through.
pub(super) fn mark_started(state: &mut PodRuntimeState, turn: &Turn<'_>) {
    for container in &turn.pod.containers {
        let Some(run) = state.containers.get_mut(&container.name).filter(|run| run.is_running()) else { continue };
        run.startup_passed |= container.probes.startup.is_none();
        run.started = run.startup_passed && !run.hook_pending;
    }
}

pub(super) fn drive(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    let ending = state.ending.is_some();
    let pod = turn.pod;
    for container in &pod.containers {
        let Some(run) = state.containers.get_mut(&container.name) else { continue };
        let Stage::Running { since, .. } = run.stage else { continue };
        for (slot, kind) in ProbeKind::ALL.into_iter().enumerate() {
            // A container that is being stopped is only asked whether it is ready.
            let wanted = match kind {
                ProbeKind::Startup => !run.startup_passed && !ending && run.stop.is_none(),
                ProbeKind::Liveness => run.startup_passed && !ending && run.stop.is_none(),
                ProbeKind::Readiness => run.startup_passed,
            };
            if let Some(probe) = kind.of(container).filter(|_| wanted) {
                schedule(run, slot, kind, (container, probe, since), turn);
            }
        }
    }
}

fn schedule(run: &mut ContainerRun, slot: usize, kind: ProbeKind, of: (&Container, &Probe, Timestamp), turn: &mut Turn<'_>) {
    let (container, probe, since) = of;
    let (Some(attempt), Some(state)) = (run.attempt(), run.probes.get_mut(slot)) else { return };
    if state.busy {
        return;
    }
    let next = *state.next.get_or_insert_with(|| since.plus(probe.initial_delay).max(turn.now));
    if next > turn.now {
        turn.wake_at(next);
        return;
    }
    state.busy = true;
    turn.act(PodAction::Probe { container: container.name.clone(), attempt, kind });
}

pub(super) fn probed(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, kind: ProbeKind, result: &Result<(), String>) {
    let Some(container) = turn.pod.container(name) else { return };
    let Some(probe) = kind.of(container) else { return };
    let Stage::Running { since, .. } = run.stage else { return };
    let Some(slot) = ProbeKind::ALL.iter().position(|other| *other == kind) else { return };
    let passed = match kind {
        ProbeKind::Startup => run.startup_passed,
        ProbeKind::Readiness => run.ready_passed,
        ProbeKind::Liveness => true,
    };
    let Some(state) = run.probes.get_mut(slot) else { return };
    state.busy = false;
    let verdict = count(state, probe, turn.now, result.is_ok());
    let waited = turn.now.since(since.plus(probe.initial_delay));
    let eager = !passed && state.successes == 0 && kind != ProbeKind::Liveness;
    let pace = if eager { eager_pace(waited, probe) } else { probe.period };
    state.next = Some(turn.now.plus(pace));
    // That a program does not answer in its first second is no news.
    let early = eager && verdict.is_none() && waited < Duration::from_secs(1);
    if let (Err(why), true) = (result, state.counted == Some(turn.now) && !early) {
        turn.event(true, "Unhealthy", format!("{} probe failed: {why}", kind.title()), Some(name));
    }
    match (kind, verdict) {
        (ProbeKind::Startup, Some(true)) => run.startup_passed = true,
        (ProbeKind::Readiness, Some(ready)) => run.ready_passed = ready,
        (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) if run.stop.is_none() => {
            let which = if kind == ProbeKind::Startup { "startup" } else { "liveness" };
            let grace = probe.grace_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
            let deadline = turn.now.plus(grace.unwrap_or_else(|| super::absorb::grace(turn)));
            let why = format!("Container {name} failed {which} probe, will be restarted");
            begin_stop(run, container, turn, deadline, &why);
        }
        _ => {}
    }
}

/// Counts an answer; failures at most once a period, however often is asked before the first success. The verdict is one only
/// when a threshold is reached.
fn count(state: &mut ProbeRun, probe: &Probe, now: Timestamp, success: bool) -> Option<bool> {
    if success {
        state.failures = 0;
        state.successes = state.successes.saturating_add(1);
        return (state.successes >= probe.success_threshold).then_some(true);
    }
    state.successes = 0;
    // Timers are a little early or late: nine tenths of a period count as one.
    if state.counted.is_some_and(|counted| now.since(counted) < probe.period.mul_f64(0.9)) {
        return None;
    }
    state.counted = Some(now);
    state.failures = state.failures.saturating_add(1);
    (state.failures >= probe.failure_threshold).then_some(false)
}

/// Before the first success: at once again, slowing to every 100 ms; after ten seconds a tenth of the time waited, at most the period. A
/// program costs more than a connection, and is asked every 25 ms at most.
fn eager_pace(waited: Duration, probe: &Probe) -> Duration {
    let least = if matches!(probe.handler, Handler::Exec(_)) { 25 } else { 5 };
    let pace = if waited < Duration::from_secs(10) {
        (waited / 6).clamp(Duration::from_millis(least), Duration::from_millis(100))
    } else {
        waited / 10
    };
    pace.min(probe.period)
}
