//! One engine a home: a lock that ends with its process, and a file that says where the engine is.

use base::{Problem, ProblemKind, files};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where a running engine is, as clients read it from `HOME/engine/engine.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Its process.
    pub pid: u32,
    /// The API's address, such as `127.0.0.1:6443`.
    pub address: String,
    /// The program's version.
    pub version: String,
}

/// The lock on a home; held as long as this lives.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
    folder: PathBuf,
}

impl HomeLock {
    /// Takes the lock of `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// Names the process that holds it, or the path that cannot be written.
    pub fn take(folder: &Path) -> Result<Self, Problem> {
        let host = |error: &dyn std::fmt::Display| {
            Problem::new(ProblemKind::Host, format!("the engine cannot use its home: {error}"))
                .hint("pass another with `--home DIR`, or make room and rights there")
        };
        files::make_folder(folder, 0o700).map_err(|error| host(&error))?;
        let path = folder.join("engine.lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(|error| host(&files::FileError::new("open", &path, error)))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = Whereabouts::read(folder).map_or_else(String::new, |other| format!(" (process {})", other.pid));
            return Err(Problem::new(ProblemKind::Target, format!("an engine runs with this home already{holder}"))
                .hint("`wharf engine stop` ends it"));
        }
        Ok(Self { _file: file, folder: folder.to_path_buf() })
    }

    /// Tells clients where the engine is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, whereabouts: &Whereabouts) -> Result<(), files::FileError> {
        let text = serde_json::to_vec_pretty(whereabouts).unwrap_or_default();
        files::write_atomically(&self.folder.join("engine.json"), &text, 0o600)
    }

    /// Takes that back.
    pub fn withdraw(&self) {
        let _ = std::fs::remove_file(self.folder.join("engine.json"));
    }
}

impl Whereabouts {
    /// Where the engine of this folder is, if one runs: the file says so and the lock is held.
    pub fn of_running(folder: &Path) -> Option<Self> {
        let file = File::open(folder.join("engine.lock")).ok()?;
        // A lock that can be had is nobody's: the engine was killed and left its file behind.
        if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
            return None;
        }
        Self::read(folder)
    }

    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read_if_exists(&folder.join("engine.json")).ok()??).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_a_dead_ones_file_counts_for_nothing() {
        let folder = std::env::temp_dir().join(format!("wharf-lock-{}", base::ids::suffix(8)));
        let here = Whereabouts { pid: 1, address: "127.0.0.1:1".to_owned(), version: "0".to_owned() };
        let lock = HomeLock::take(&folder).expect("free");
        lock.announce(&here).expect("written");
        assert_eq!(Whereabouts::of_running(&folder), Some(here));
        let refused = HomeLock::take(&folder).expect_err("held");
        assert!(refused.message.contains("process 1"), "{refused}");
        drop(lock);
        assert_eq!(Whereabouts::of_running(&folder), None);
        assert!(HomeLock::take(&folder).is_ok());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
