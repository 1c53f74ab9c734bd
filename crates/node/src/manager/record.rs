//! A pod's state on disk, so that the next node process goes on where this one ended.

use super::Slot;
use crate::config::NodeConfig;
use crate::pod::Pod;
use crate::state::{EndStage, Ending, PodRuntimeState, Task};
use base::Timestamp;
use k8s::Fields;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the file holds.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<S> {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) state: S,
}

/// Writes a pod's state when it changed. By rename, not synced: after a power cut nothing runs that it could be about, and what it says
/// is checked against the runtime anyway.
pub(super) fn store(config: &NodeConfig, slot: &mut Slot) {
    let record = Record { namespace: slot.pod.namespace.clone(), name: slot.pod.name.clone(), state: &slot.state };
    let Ok(bytes) = serde_json::to_vec(&record) else { return };
    if bytes == slot.stored {
        return;
    }
    let folders = config.folders(&slot.pod.uid);
    let beside = folders.base().join(".state.json");
    let written = std::fs::write(&beside, &bytes).or_else(|_| {
        base::files::make_folder(folders.base(), 0o711).map_err(std::io::Error::other)?;
        std::fs::write(&beside, &bytes)
    });
    if written.and_then(|()| std::fs::rename(&beside, folders.state())).is_ok() {
        slot.stored = bytes;
    }
}

/// The state that an earlier process left.
pub(super) fn load(config: &NodeConfig, uid: &str) -> Option<Record<PodRuntimeState>> {
    serde_json::from_slice(&std::fs::read(config.folders(uid).state()).ok()?).ok()
}

/// What the API remembers of a pod that this node has no record of: attempts go on counting.
pub(super) fn from_api(pod: &Pod) -> PodRuntimeState {
    let mut state = PodRuntimeState { start_time: pod.object.time("status.startTime"), ..PodRuntimeState::default() };
    let entries = pod.object.items("status.initContainerStatuses").iter().chain(pod.object.items("status.containerStatuses"));
    for entry in entries.filter(|entry| !entry.text("containerID").is_empty()) {
        let restarts = entry.int("restartCount").and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        state.containers.entry(entry.text("name").to_owned()).or_default().runs = restarts.saturating_add(1);
    }
    if matches!(pod.object.text("status.phase"), "Succeeded" | "Failed") {
        let deadline = Timestamp::default();
        state.ending = Some(Ending { deadline, grace_seconds: 1, stage: EndStage::Removed, task: Task::Idle });
    }
    state
}

/// Removes all of a pod's folders; mounts in them first.
pub(super) fn remove(config: &NodeConfig, uid: &str, name: Option<(&str, &str)>) {
    let folders = config.folders(uid);
    if crate::volumes::unmount_below(folders.base()).is_ok() {
        let _ = remove_tree(folders.base());
    }
    if let Some((namespace, name)) = name {
        let _ = remove_tree(&config.logs(namespace, name, uid));
    }
}

fn remove_tree(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
