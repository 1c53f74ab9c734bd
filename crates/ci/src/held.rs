//! A file that is read, changed and written by one at a time, of all processes: a server, and commands beside it.

use base::files::FileError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Waits until nobody else changes a file; it is held until the answer is dropped.
///
/// # Errors
/// When the lock beside it, `.NAME.lock`, cannot be made.
pub(crate) fn hold(path: &Path) -> Result<File, FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lock = path.with_file_name(format!(".{name}.lock"));
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
    let file = opened.map_err(|error| FileError::new("open", &lock, error))?;
    flock(&file, FlockOperation::LockExclusive).map_err(|error| FileError::new("lock", &lock, error.into()))?;
    Ok(file)
}
