//! Volumes, link and shim: what a pod needs before its first container.

use super::{PodAction, Turn};
use crate::state::{PodRuntimeState, Task};

pub(super) fn drive(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    if due(&mut state.volumes, turn) {
        turn.act(PodAction::PrepareVolumes);
    }
    refresh(state, turn);
    if turn.pod.host_network {
        state.network = Task::Done;
    } else if due(&mut state.network, turn) {
        turn.act(PodAction::AttachNetwork);
    }
    if state.network.is_done() && due(&mut state.sandbox, turn) {
        turn.act(PodAction::CreateSandbox { replace: state.sandboxes > 0 });
        state.sandboxes += 1;
    }
}

/// Whether a task is to be begun now; it is then under way.
pub(super) fn due(task: &mut Task, turn: &mut Turn<'_>) -> bool {
    if let Task::Failed { retry_at, .. } = task
        && *retry_at > turn.now
    {
        turn.wake_at(*retry_at);
        return false;
    }
    if task.is_done() || task.is_busy() {
        return false;
    }
    *task = Task::Busy { tries: task.tries() };
    true
}

fn refresh(state: &mut PodRuntimeState, turn: &mut Turn<'_>) {
    if !state.volumes.is_done() || state.refreshing {
        return;
    }
    let old = state.refresh_at.is_some_and(|at| at <= turn.now);
    if state.stale || old {
        (state.stale, state.refreshing) = (false, true);
        turn.act(PodAction::PrepareVolumes);
    } else if let Some(at) = state.refresh_at {
        turn.wake_at(at);
    }
}
