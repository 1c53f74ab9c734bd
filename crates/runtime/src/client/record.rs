//! What must be known of pods after a restart: one small file each, written before anything is made.

use crate::protocol::{STATE, host};
use crate::spec::{ContainerState, Exit, PodId, PodState, RuntimeError};
use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// A pod that may be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: PodId,
    /// Its folder, where its shim listens.
    pub folder: PathBuf,
    /// Its cgroup below our root.
    pub cgroup: String,
}

/// The folder of records.
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// Opens the folder, made when missing.
    pub fn open(home: &Path) -> Result<Self, RuntimeError> {
        let folder = home.join("shims");
        base::files::make_folder(&folder, 0o700).map_err(|error| host("open the runtime's home")(io::Error::other(error)))?;
        Ok(Self { folder })
    }

    /// Every record; what is none is passed over, as only a crash of the machine leaves such.
    pub fn all(&self) -> Result<Vec<Record>, RuntimeError> {
        let entries = std::fs::read_dir(&self.folder).map_err(host("list the pods"))?;
        let read = |entry: std::fs::DirEntry| serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok();
        Ok(entries.flatten().filter(|entry| entry.path().extension().is_some_and(|kind| kind == "json")).filter_map(read).collect())
    }

    /// Writes one. Not synced: after the machine has gone down there is nothing left of a pod that must be found.
    pub fn put(&self, record: &Record) -> Result<(), RuntimeError> {
        let fail = || host(format!("record the pod {}", record.id));
        let text = serde_json::to_vec(record).map_err(|error| fail()(error.into()))?;
        let beside = self.folder.join(format!("{}.new", record.id));
        std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, self.path(&record.id))).map_err(fail())
    }

    /// Removes one; gone already is success.
    pub fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        match std::fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(host(format!("forget the pod {id}"))(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

/// Refuses ids that are no file names.
pub fn check(id: &str) -> Result<(), RuntimeError> {
    let valid = !id.is_empty()
        && id.len() < 200
        && !id.starts_with('.')
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if valid { Ok(()) } else { Err(RuntimeError::Config(format!("`{id}` is no id for a pod"))) }
}

/// What a shim that is gone wrote last. What ran then was killed with it.
pub fn last_state(folder: &Path, now: Timestamp) -> PodState {
    let newest = states(folder).max_by_key(|(number, _)| *number);
    let read = newest.and_then(|(_, path)| serde_json::from_slice::<PodState>(&std::fs::read(path).ok()?).ok());
    let mut state = read.unwrap_or(PodState { shim_pid: None, containers: Default::default() });
    state.shim_pid = None;
    for (_, container) in state.containers.values_mut() {
        if let ContainerState::Running { started, .. } = *container {
            *container = ContainerState::Exited(Exit { code: 137, signal: Some(9), oom_killed: false, started, finished: now });
        }
    }
    state
}

/// Removes what shims wrote in a pod's folder.
pub fn forget_states(folder: &Path) {
    for (_, path) in states(folder) {
        let _ = std::fs::remove_file(path);
    }
}

fn states(folder: &Path) -> impl Iterator<Item = (u64, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.strip_prefix(STATE)?.strip_prefix('.')?.parse().ok()?;
        Some((number, entry.path()))
    })
}
