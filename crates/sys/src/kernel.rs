//! The few host changes whose order and undoing are tested: behind a trait, with a fake that records and fails on demand.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Changes files of the host's control file systems (cgroups, sysctls).
pub trait Kernel: Send + Sync {
    /// Makes one folder; `AlreadyExists` when it is there.
    ///
    /// # Errors
    /// What the system says.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes one empty folder.
    ///
    /// # Errors
    /// What the system says: `NotFound`, `EBUSY` for a cgroup in use.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Writes a value to a file that is there already, in one call.
    ///
    /// # Errors
    /// What the system says.
    fn write(&self, path: &Path, value: &str) -> io::Result<()>;
    /// Reads a file whole.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The machine itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

impl Kernel for Host {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn write(&self, path: &Path, value: &str) -> io::Result<()> {
        io::Write::write_all(&mut std::fs::OpenOptions::new().write(true).open(path)?, value.as_bytes())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// Records what it is asked and does nothing; the call number `fail_at` (from 0) fails.
#[derive(Debug, Default)]
pub struct Fake {
    calls: Mutex<Vec<String>>,
    folders: Mutex<Vec<PathBuf>>,
    fail_at: Option<usize>,
}

impl Fake {
    /// A fake whose call number `fail_at` fails.
    pub fn failing_at(fail_at: Option<usize>) -> Self {
        Self { fail_at, ..Self::default() }
    }

    /// What was asked so far: `mkdir PATH`, `rmdir PATH`, `write PATH VALUE`.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().map(|calls| calls.clone()).unwrap_or_default()
    }

    /// The folders that are left.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.folders.lock().map(|folders| folders.clone()).unwrap_or_default()
    }

    fn call(&self, what: String) -> io::Result<()> {
        let Ok(mut calls) = self.calls.lock() else { return Err(io::Error::other("poisoned")) };
        calls.push(what);
        if self.fail_at == Some(calls.len() - 1) { Err(io::Error::from_raw_os_error(libc::EIO)) } else { Ok(()) }
    }
}

impl Kernel for Fake {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.call(format!("mkdir {}", path.display()))?;
        let Ok(mut folders) = self.folders.lock() else { return Err(io::Error::other("poisoned")) };
        if folders.iter().any(|folder| folder == path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        folders.push(path.to_owned());
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.call(format!("rmdir {}", path.display()))?;
        let Ok(mut folders) = self.folders.lock() else { return Err(io::Error::other("poisoned")) };
        let before = folders.len();
        folders.retain(|folder| folder != path);
        if folders.len() == before { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
    }

    fn write(&self, path: &Path, value: &str) -> io::Result<()> {
        self.call(format!("write {} {value}", path.display()))
    }

    fn read(&self, _path: &Path) -> io::Result<String> {
        Ok(String::new())
    }
}
