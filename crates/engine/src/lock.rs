//! One engine a home: a lock that ends with its process, and a file that says where the engine is.

use base::{Problem, ProblemKind, files};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a running engine is, as clients read it from `HOME/engine/engine.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Its process.
    pub pid: u32,
    /// The API's address, such as `127.0.0.1:6443`.
    pub address: String,
    /// The program's version.
    pub version: String,
    /// Whether it was told to end, and serves nobody any more.
    #[serde(default)]
    pub ending: bool,
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
        if !locked(&file) {
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

    /// Tells clients that it is ending.
    pub fn withdraw(&self) {
        if let Some(whereabouts) = Whereabouts::read(&self.folder) {
            let _ = self.announce(&Whereabouts { ending: true, ..whereabouts });
        }
    }
}

impl Whereabouts {
    /// Where the engine of this folder is, if one serves: the file says so and the lock is held.
    pub fn of_running(folder: &Path) -> Option<Self> {
        Self::of_held(folder).filter(|whereabouts| !whereabouts.ending && lives(whereabouts.pid))
    }

    /// As [`Whereabouts::of_running`], and also of one that is ending.
    pub fn of_held(folder: &Path) -> Option<Self> {
        is_held(folder).then(|| Self::read(folder)).flatten()
    }

    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read_if_exists(&folder.join("engine.json")).ok()??).ok()
    }
}

/// Whoever asks whether the lock is held has it for a moment: it is tried again for a while.
fn locked(file: &File) -> bool {
    (0..10).any(|turn| {
        std::thread::sleep(Duration::from_millis(if turn == 0 { 0 } else { 15 }));
        flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// Whether a process has this home: it may be starting, serving or ending.
///
/// A lock that can be had is nobody's: the engine was killed and left its file behind.
pub fn is_held(folder: &Path) -> bool {
    File::open(folder.join("engine.lock")).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// Whether a process still does something: one that was killed has its lock until its last thread is gone.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before it may hold anything, brackets too.
    stat.rsplit(')').next().is_some_and(|rest| !matches!(rest.trim_start().chars().next(), None | Some('Z' | 'X')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_a_dead_ones_file_counts_for_nothing() {
        let folder = std::env::temp_dir().join(format!("wharf-lock-{}", base::ids::suffix(8)));
        let here = Whereabouts { pid: 1, address: "127.0.0.1:1".to_owned(), version: "0".to_owned(), ending: false };
        let lock = HomeLock::take(&folder).expect("free");
        lock.announce(&here).expect("written");
        assert_eq!(Whereabouts::of_running(&folder), Some(here));
        let refused = HomeLock::take(&folder).expect_err("held");
        assert!(refused.message.contains("process 1"), "{refused}");
        lock.withdraw();
        assert_eq!(Whereabouts::of_running(&folder), None);
        assert!(Whereabouts::of_held(&folder).is_some_and(|engine| engine.ending && engine.pid == 1));
        drop(lock);
        assert_eq!(Whereabouts::of_held(&folder), None);
        assert!(!is_held(&folder));
        assert!(HomeLock::take(&folder).is_ok());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
