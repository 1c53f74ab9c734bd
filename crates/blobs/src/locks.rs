//! Locks between processes, held as long as the value lives and no longer than the process.

use base::files::FileError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// A lock on a file of the store.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until nobody holds it alone.
    pub(crate) fn shared(path: &Path) -> Result<Self, FileError> {
        Self::take(path, FlockOperation::LockShared).map(|lock| lock.expect("a blocking lock is taken or fails"))
    }

    /// Waits until nobody holds it.
    pub(crate) fn alone(path: &Path) -> Result<Self, FileError> {
        Self::take(path, FlockOperation::LockExclusive).map(|lock| lock.expect("a blocking lock is taken or fails"))
    }

    /// `None` when somebody holds it.
    pub(crate) fn try_alone(path: &Path) -> Result<Option<Self>, FileError> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive)
    }

    fn take(path: &Path, operation: FlockOperation) -> Result<Option<Self>, FileError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| FileError::new("open", path, error))?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(FileError::new("lock", path, error.into())),
            }
        }
    }
}
