//! When to look how much a pod has written to disk; only where something limits it.

use super::{PodAction, Turn};
use crate::state::PodRuntimeState;
use k8s::{Fields, Value, quantity};
use std::time::Duration;

/// Source: kubelet `housekeeping-interval`.
const PERIOD: Duration = Duration::from_secs(10);

/// A limit as it is written, and in bytes.
pub(crate) fn limit(holder: &Value, name: &str) -> Option<(String, u64)> {
    let text = holder.member(name).map(|limit| limit.as_str().map_or_else(|| limit.to_string(), str::to_owned))?;
    let bytes = quantity::parse(&text).and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0)?;
    // A volume of memory holds its limit by itself.
    (holder.text("medium") != "Memory").then_some((text, bytes))
}

fn is_limited(turn: &Turn<'_>) -> bool {
    let volume = |volume: &Value| volume.at("emptyDir").is_some_and(|source| limit(source, "sizeLimit").is_some());
    let own = |container: &crate::pod::Container| {
        turn.pod.raw(container).at("resources.limits").is_some_and(|limits| limit(limits, "ephemeral-storage").is_some())
    };
    turn.pod.object.items("spec.volumes").iter().any(volume) || turn.pod.containers.iter().any(own)
}

pub(super) fn drive(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    if state.disk.busy || !state.sandbox.is_done() || !is_limited(turn) {
        return;
    }
    let next = *state.disk.next.get_or_insert(turn.now.plus(PERIOD));
    if next > turn.now {
        return turn.wake_at(next);
    }
    state.disk.busy = true;
    let running = state.containers.iter().filter(|(_, run)| run.is_running());
    let running = running.filter_map(|(name, run)| Some((name.clone(), run.attempt()?))).collect();
    turn.act(PodAction::Measure { running });
}

/// The longer it takes to look, the rarer it is done.
pub(super) fn measured(state: &mut PodRuntimeState, turn: &mut Turn<'_>, took: Duration, over: Option<&String>) {
    state.disk.busy = false;
    state.disk.next = Some(turn.now.plus(PERIOD.max(took * 20)));
    if let Some(why) = over.filter(|_| state.failure.is_none()) {
        turn.event(true, "Evicted", why.as_str(), None);
        state.failure = Some(("Evicted".into(), why.clone()));
    }
}
