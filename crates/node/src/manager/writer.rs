//! Writes statuses: only when something changed, one write at a time for a pod, what changes meanwhile goes with the next.

use super::{Manager, Message, Report, Shared};
use crate::pod::Pod;
use crate::status;
use base::Timestamp;
use k8s::kinds::POD;
use k8s::{Fields, Value};

const OWN: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

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
        }
        slot.status = Some(status);
        let late = slot.retry_status_at.is_none_or(|at| at <= now);
        if !slot.unwritten || slot.writing || !late {
            return;
        }
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
pub(super) async fn write(shared: &Shared, pod: &Pod, status: &Value) -> bool {
    let cluster = &shared.parts.cluster;
    for _ in 0..8 {
        let Some(newest) = cluster.get(POD, &pod.namespace, &pod.name).filter(|newest| newest.uid() == pod.uid) else { return true };
        let mut object = (*newest).clone();
        let mut status = status.clone();
        let own = status.items("conditions").iter().filter(|condition| OWN.contains(&condition.text("type"))).cloned();
        let foreign = newest.items("status.conditions").iter().filter(|condition| !OWN.contains(&condition.text("type"))).cloned();
        let conditions: Vec<Value> = own.chain(foreign).collect();
        status["conditions"] = Value::Array(conditions);
        if newest.at("status").is_some_and(|old| same(old, &status)) {
            return true;
        }
        object["status"] = status;
        match cluster.update_status(POD, &object).await {
            Ok(_) => return true,
            Err(error) if error.code == 404 => return true,
            Err(error) if error.code == 409 => tokio::task::yield_now().await,
            Err(_) => return false,
        }
    }
    false
}
