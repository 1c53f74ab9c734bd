//! A run as it is kept: its record, and what only the server knows of it.

use super::files::Files;
use super::lane;
use super::logs::Logs;
use crate::queue::{Attempt, Observation};
use crate::run::{Run, RunId, RunState};
use base::files::FileError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use store::Store;

/// The number of the next run.
pub(super) const NEXT: &str = "meta/next";
const RUNS: &str = "runs/";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) run: Run,
    /// What the runner is to do.
    pub(super) work: Work,
    /// Who does it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) doing: Option<Doing>,
    /// A person wanted it to end.
    #[serde(default)]
    pub(super) cancelled: Option<String>,
    #[serde(default)]
    pub(super) logs: Logs,
    /// Findings and details are in a file.
    #[serde(default)]
    pub(super) slim: bool,
}

/// What a runner is to do, beside what the run itself says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Only these stages; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Not these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// From this one on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Files that are kept of it, relative to the project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artefacts: Vec<String>,
    /// Whether submodules are fetched.
    #[serde(default)]
    pub submodules: bool,
    /// How long it is kept, in seconds; by default as long as the server keeps all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Doing {
    pub(super) token: String,
    pub(super) instance: String,
    /// How much of what the runner said was taken.
    pub(super) taken: u64,
}

impl Kept {
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What the queue is told of it after a restart.
    pub(super) fn resume(&self) -> Vec<Observation> {
        let (id, lane, number) = (self.run.id, lane(&self.run), self.run.attempt);
        let mut observations = match (&self.doing, self.run.state) {
            (Some(doing), RunState::Running) => {
                let attempt = Attempt { number, token: doing.token.clone(), instance: doing.instance.clone() };
                vec![Observation::Resumed { id, lane, attempt, heard: doing.taken > 0 }]
            }
            _ => vec![Observation::Pushed { id, lane, attempts: number }],
        };
        if self.cancelled.is_some() {
            observations.push(Observation::Cancelled(id));
        }
        observations
    }

    /// Puts what makes a run large into a file of its own, once it has ended.
    pub(super) fn slim_down(&mut self, files: &dyn Files, folder: &Path) -> Result<(), FileError> {
        let path = self::folder(folder, self.run.id);
        files.folder(&path)?;
        files.replace(&path.join("run.json"), &serde_json::to_vec(&self.run).unwrap_or_default())?;
        for stage in &mut self.run.stages {
            stage.findings = Vec::new();
            stage.detail = serde_json::Value::Null;
        }
        self.slim = true;
        Ok(())
    }

    /// The run with what its file has.
    pub(super) fn whole(&self, folder: &Path) -> Result<Run, FileError> {
        let path = self::folder(folder, self.run.id).join("run.json");
        let Some(bytes) = base::files::read_if_exists(&path)? else { return Ok(self.run.clone()) };
        let mut run: Run = serde_json::from_slice(&bytes)
            .map_err(|error| FileError::new("read", path, std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
        run.artefacts.clone_from(&self.run.artefacts);
        Ok(run)
    }
}

pub(super) fn key(id: RunId) -> String {
    format!("{RUNS}{:020}", id.0)
}

/// Where a run's files are.
pub(super) fn folder(folder: &Path, id: RunId) -> PathBuf {
    folder.join("runs").join(format!("{:020}", id.0))
}

pub(super) fn get(store: &Store, id: RunId) -> Option<Kept> {
    serde_json::from_slice(&store.get(&key(id))?.value).ok()
}

pub(super) fn all(store: &Store) -> Vec<Kept> {
    // A list of what stands now is never too old.
    let Ok(page) = store.list(RUNS, 0, "", None) else { return Vec::new() };
    page.entries.iter().filter_map(|entry| serde_json::from_slice(&entry.value).ok()).collect()
}
