//! Writes statuses: only when something changed, one write at a time for a pod, what changes meanwhile goes with the next.

use super::{Manager, Message, Report, Shared};
use crate::pod::Pod;
use crate::state::{EndStage, PodRuntimeState, Stage, Task};
use crate::status;
use base::Timestamp;
use k8s::kinds::POD;
use k8s::{Fields, Value};
use std::time::Duration;

/// A status waits so long for what is under way: most of it ends within milliseconds, and then one write tells all of it.
const HOLD: Duration = Duration::from_millis(50);

/// Whether something is under way that ends by itself.
fn is_moving(state: &PodRuntimeState) -> bool {
    let ending = state.ending.as_ref();
    let setup = [&state.volumes, &state.network, &state.sandbox].into_iter().any(Task::is_busy);
    let starting = state.containers.values().any(|run| matches!(run.stage, Stage::Starting | Stage::Pulling));
    ending.map_or(setup || starting, |ending| ending.task.is_busy())
}

impl Manager {
    pub(super) fn write_status(&mut self, uid: &str, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(uid) else { return };
        if slot.gone || slot.foreign {
            return;
        }
        let status = status::build(&slot.pod, &slot.state, slot.status.as_ref(), self.shared.config.address, now);
        let known = slot.status.as_ref().or_else(|| slot.pod.object.at("status"));
        if known.is_none_or(|known| !same(known, &status)) {
            slot.unwritten = true;
            slot.hold_until.get_or_insert(now.plus(HOLD));
        }
        slot.status = Some(status);
        // The deletion writes the last one itself.
        let deleting = slot.state.ending.as_ref().is_some_and(|ending| ending.stage >= EndStage::Deleting);
        if !slot.unwritten || slot.writing || deleting || slot.retry_status_at.is_some_and(|at| at > now) {
            slot.hold_until = None;
            return;
        }
        if slot.hold_until.is_some_and(|until| until > now) && is_moving(&slot.state) {
            return;
        }
        slot.hold_until = None;
        let Some(inbox) = self.inbox.upgrade() else { return };
        (slot.unwritten, slot.writing, slot.retry_status_at) = (false, true, None);
        let (shared, pod) = (self.shared.clone(), slot.pod.clone());
        let status = slot.status.clone().unwrap_or_default();
        tokio::spawn(async move {
            let written = write(&shared, &pod, &status).await;
            let _ = inbox.send(Message::Report(pod.uid.clone(), Report::StatusWritten(written)));
        });
    }
}

/// Equal but for members that are null: an absent one means the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let covered = |x: &serde_json::Map<String, Value>, y: &serde_json::Map<String, Value>| {
                x.iter().all(|(key, value)| value.is_null() || y.get(key).is_some_and(|other| same(value, other)))
            };
            covered(x, y) && y.iter().all(|(key, value)| value.is_null() || x.contains_key(key))
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
}

/// Writes a status over the newest object, keeping the conditions of others; true when it stands or the pod is gone.
pub(super) async fn write(shared: &Shared, pod: &Pod, wanted: &Value) -> bool {
    let cluster = &shared.parts.cluster;
    for _ in 0..8 {
        let Some(newest) = cluster.get(POD, &pod.namespace, &pod.name).filter(|newest| newest.uid() == pod.uid) else { return true };
        let mut object = (*newest).clone();
        let mut written = wanted.clone();
        let own = wanted.items("conditions").iter().filter(|condition| status::is_own(condition.text("type"))).cloned();
        let foreign = newest.items("status.conditions").iter().filter(|condition| !status::is_own(condition.text("type"))).cloned();
        let conditions: Vec<Value> = own.chain(foreign).collect();
        written["conditions"] = Value::Array(conditions);
        if newest.at("status").is_some_and(|old| same(old, &written)) {
            return true;
        }
        object["status"] = written;
        match cluster.update_status(POD, &object).await {
            Ok(_) => return true,
            Err(error) if error.code == 404 => return true,
            Err(error) if error.code == 409 => tokio::task::yield_now().await,
            Err(_) => return false,
        }
    }
    false
}
