//! Events: told once, counted when they come again, and held back when a pod tells too much. Source: client-go `tools/record`.

use super::Shared;
use crate::pod::Pod;
use base::Timestamp;
use k8s::kinds::EVENT;
use k8s::{Fields, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Events of one pod that may come at once; then one in five minutes.
const BURST: f64 = 25.0;
const REFILL_SECONDS: f64 = 300.0;
/// Different events remembered at most.
const REMEMBERED: usize = 2_048;

/// Takes events; a task of its own writes them in order.
pub(super) struct Recorder {
    queue: mpsc::UnboundedSender<Note>,
}

/// Something to be told.
pub(super) struct Note {
    pub(super) pod: Arc<Pod>,
    pub(super) container: Option<String>,
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) at: Timestamp,
}

type Key = (String, Option<String>, &'static str, String);

struct Writer {
    shared: Arc<Shared>,
    told: BTreeMap<Key, (Arc<Value>, Timestamp)>,
    budgets: BTreeMap<String, (f64, Timestamp)>,
}

impl Recorder {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let (queue, mut notes) = mpsc::unbounded_channel::<Note>();
        let mut writer = Writer { shared, told: BTreeMap::new(), budgets: BTreeMap::new() };
        tokio::spawn(async move {
            while let Some(note) = notes.recv().await {
                writer.write(note).await;
            }
        });
        Self { queue }
    }

    pub(super) fn record(&self, note: Note) {
        let _ = self.queue.send(note);
    }
}

impl Writer {
    async fn write(&mut self, mut note: Note) {
        if note.message.len() > 1_024 {
            let end = (0..=1_024).rev().find(|end| note.message.is_char_boundary(*end)).unwrap_or(0);
            note.message.truncate(end);
        }
        if !self.may(&note) {
            return;
        }
        let key = (note.pod.uid.clone(), note.container.clone(), note.reason, note.message.clone());
        let cluster = self.shared.parts.cluster.clone();
        if let Some((told, _)) = self.told.get(&key) {
            let mut again = (**told).clone();
            again.set("count", again.int("count").unwrap_or(1) + 1);
            again.set("lastTimestamp", note.at.rfc3339());
            again.unset("metadata.resourceVersion");
            if let Ok(stored) = cluster.update(EVENT, &again).await {
                self.told.insert(key, (stored, note.at));
                return;
            }
        }
        if let Ok(stored) = cluster.create(EVENT, &self.object(&note)).await {
            self.told.insert(key, (stored, note.at));
        }
        self.clean(note.at);
    }

    fn may(&mut self, note: &Note) -> bool {
        let (left, since) = self.budgets.entry(note.pod.uid.clone()).or_insert((BURST, note.at));
        let back = note.at.since(*since).as_secs_f64() / REFILL_SECONDS;
        *left = (*left + back).min(BURST);
        *since = note.at;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }

    fn clean(&mut self, now: Timestamp) {
        let hour = std::time::Duration::from_secs(3_600);
        if self.told.len() > REMEMBERED {
            self.told.retain(|_, (_, at)| now.since(*at) < hour);
        }
        if self.told.len() > 2 * REMEMBERED {
            self.told.clear();
        }
        if self.budgets.len() > REMEMBERED {
            self.budgets.retain(|_, (left, at)| *left < BURST - 1.0 && now.since(*at) < hour);
        }
    }

    fn object(&self, note: &Note) -> Value {
        let node = &self.shared.config.name;
        let pod = &note.pod;
        let at = note.at.rfc3339();
        let mut involved = json!({"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid,
            "resourceVersion": pod.object.resource_version()});
        if let Some(container) = &note.container {
            involved["fieldPath"] = json!(pod.field_path(container));
        }
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"namespace": pod.namespace, "name": format!("{}.{:x}{}", pod.name, note.at.micros(), base::ids::suffix(3))},
            "involvedObject": involved,
            "type": if note.warning { "Warning" } else { "Normal" },
            "reason": note.reason, "message": note.message, "count": 1,
            "firstTimestamp": at, "lastTimestamp": at,
            "source": {"component": "kubelet", "host": node},
            "reportingComponent": "kubelet", "reportingInstance": node,
        })
    }
}
