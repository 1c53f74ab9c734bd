//! Resources of a running container that change: in place, or by a restart where its `resizePolicy` says so.

use super::{PodAction, ResizeFault, Turn, begin_stop};
use crate::pod::{Container, Role};
use crate::state::{ContainerRun, Resize};
use k8s::{Fields, Value};
use std::time::Duration;

const AGAIN: Duration = Duration::from_secs(10);

/// What the object asks for.
pub(crate) fn wanted(raw: &Value) -> Value {
    raw.at("resources").cloned().unwrap_or_else(|| Value::Object(Default::default()))
}

pub(super) fn drive(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>) {
    let Some(attempt) = run.attempt() else { return };
    let raw = turn.pod.raw(container);
    let wanted = wanted(raw);
    let has = run.resources.get_or_insert_with(|| wanted.clone());
    if *has == wanted || !matches!(container.role, Role::Main | Role::Sidecar) {
        // Taken back before it was carried out.
        if matches!(run.resize, Resize::Failed { .. }) {
            run.resize = Resize::Settled;
        }
        return;
    }
    match &run.resize {
        Resize::Going => return,
        Resize::Failed { wanted: tried, infeasible, retry_at, .. } if *tried == wanted => {
            if *infeasible {
                return;
            }
            if *retry_at > turn.now {
                let at = *retry_at;
                return turn.wake_at(at);
            }
        }
        _ => {}
    }
    if restarts(raw, has, &wanted) {
        run.replace = true;
        let deadline = turn.now.plus(super::absorb::grace(turn));
        let why = format!("Container {} resize requires restart", container.name);
        begin_stop(run, container, turn, deadline, &why);
        return;
    }
    run.resize = Resize::Going;
    turn.act(PodAction::Resize { container: container.name.clone(), attempt });
}

/// Whether one of the amounts that differ is one for which the container is to be restarted.
fn restarts(raw: &Value, has: &Value, wanted: &Value) -> bool {
    let amount = |all: &Value, side: &str, name: &str| all.at(side).and_then(|amounts| amounts.member(name)).cloned();
    raw.items("resizePolicy").iter().filter(|policy| policy.text("restartPolicy") == "RestartContainer").any(|policy| {
        let name = policy.text("resourceName");
        ["limits", "requests"].iter().any(|side| amount(has, side, name) != amount(wanted, side, name))
    })
}

pub(super) fn resized(run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, wanted: &Value, result: &Result<(), ResizeFault>) {
    let (infeasible, message) = match result {
        Ok(()) => {
            run.resources = Some(wanted.clone());
            run.resize = Resize::Settled;
            turn.event(false, "ResizeCompleted", format!("Pod resize completed: container {name}"), Some(name));
            return;
        }
        Err(ResizeFault::Infeasible(why)) => (true, why),
        Err(ResizeFault::Error(why)) => (false, why),
    };
    // A defect of ours does not even know what it was about.
    let wanted =
        if wanted.is_null() { turn.pod.container(name).map_or(Value::Null, |own| self::wanted(turn.pod.raw(own))) } else { wanted.clone() };
    let known = matches!(&run.resize, Resize::Failed { message: before, .. } if before == message);
    if !known {
        let reason = if infeasible { "ResizeInfeasible" } else { "ResizeError" };
        turn.event(true, reason, format!("Pod resize of container {name}: {message}"), Some(name));
    }
    run.resize = Resize::Failed { wanted, infeasible, message: message.clone(), retry_at: turn.now.plus(AGAIN) };
}
