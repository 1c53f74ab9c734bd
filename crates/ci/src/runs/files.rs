//! The few changes that are made to the files of runs, by trait, so that a test can fail and tear each.

use base::files::FileError;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is done to files. What went well is on the disk.
pub(super) trait Files: Send + Sync {
    /// Makes a folder and those above it.
    fn folder(&self, path: &Path) -> Result<(), FileError>;
    /// Replaces a file: the old content or the new, and nothing between.
    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), FileError>;
    /// Writes a text behind the first `length` bytes, which is all that counts of a file; where that fails anything may stand behind them.
    fn append(&self, path: &Path, length: u64, text: &[u8]) -> Result<(), FileError>;
    /// Takes away what stands behind the first `length` bytes; a file that is not there has none.
    fn cut(&self, path: &Path, length: u64) -> Result<(), FileError>;
}

/// Those of the machine.
pub(super) struct Real;

impl Files for Real {
    fn folder(&self, path: &Path) -> Result<(), FileError> {
        base::files::make_folder(path, 0o700)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        base::files::write_atomically(path, content, 0o600)
    }

    fn append(&self, path: &Path, length: u64, text: &[u8]) -> Result<(), FileError> {
        let failed = |error| FileError::new("write", path, error);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        file.set_len(length).and_then(|()| file.write_all(text)).and_then(|()| file.sync_data()).map_err(failed)
    }

    fn cut(&self, path: &Path, length: u64) -> Result<(), FileError> {
        match OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::new("cut", path, error)),
            _ => Ok(()),
        }
    }
}
