//! Files that are whole or not there: written beside, synced, renamed. Every error names its path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file operation that failed, with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `create`.
    pub verb: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system answered.
    pub source: io::Error,
}

impl FileError {
    /// Wraps a system error with what was tried and where.
    pub fn new(verb: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { verb, path: path.into(), source }
    }
}

/// The whole content of a file.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|error| FileError::new("read", path, error))
}

/// Reads a whole file of at most `largest` bytes.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read_up_to(path: &Path, largest: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| FileError::new("open", path, error))?;
    let mut content = Vec::new();
    let limit = u64::try_from(largest).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| FileError::new("read", path, error))?;
    if content.len() > largest {
        let error = io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {largest} bytes"));
        return Err(FileError::new("read", path, error));
    }
    Ok(content)
}

/// The whole content of a file, or nothing when it does not exist.
///
/// # Errors
/// When it exists and cannot be read.
pub fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new("read", path, error)),
    }
}

/// Makes a folder and those above it, with the given mode where they are new.
///
/// # Errors
/// When one cannot be made.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|error| FileError::new("create", path, error))
}

/// Replaces a file in one step: readers see the old content or the new, also after a power cut.
///
/// # Errors
/// When it cannot be written; the old content then stands.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}", crate::ids::suffix(8)));
    let written = write_synced(&beside, content, mode)
        .and_then(|()| fs::rename(&beside, path).map_err(|error| FileError::new("replace", path, error)));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    sync_folder(folder)
}

/// Makes a file in one step, unless there is one; whether it was made. Of several that do so at once, one makes it.
///
/// # Errors
/// When it cannot be written.
pub fn create_atomically(path: &Path, content: &[u8], mode: u32) -> Result<bool, FileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}", crate::ids::suffix(8)));
    let linked = write_synced(&beside, content, mode).and_then(|()| match fs::hard_link(&beside, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::new("create", path, error)),
    });
    let _ = fs::remove_file(&beside);
    let made = linked?;
    sync_folder(folder)?;
    Ok(made)
}

/// Makes a folder's entries durable.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|handle| handle.sync_all()).map_err(|error| FileError::new("sync", folder, error))
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    let error = |error| FileError::new("write", path, error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(error)?;
    file.write_all(content).map_err(error)?;
    file.sync_all().map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_beside() {
        let folder = std::env::temp_dir().join(format!("wharf-files-{}", crate::ids::suffix(8)));
        make_folder(&folder, 0o700).expect("folder");
        let path = folder.join("state");
        for content in [b"one".as_slice(), b"two"] {
            write_atomically(&path, content, 0o600).expect("written");
            assert_eq!(read(&path).expect("read"), content);
        }
        assert!(!create_atomically(&path, b"three", 0o600).expect("there is one"));
        assert_eq!((read(&path).expect("read").as_slice(), fs::read_dir(&folder).expect("listed").count()), (b"two".as_slice(), 1));
        let new = folder.join("new");
        assert!(create_atomically(&new, b"four", 0o600).expect("made"));
        assert_eq!((read(&new).expect("read").as_slice(), fs::read_dir(&folder).expect("listed").count()), (b"four".as_slice(), 2));
        assert!(read_if_exists(&folder.join("none")).expect("absent").is_none());
        let error = write_atomically(&folder.join("no/such"), b"", 0o600).expect_err("no folder");
        assert!(error.to_string().contains("no/.such"), "{error}");
        fs::remove_dir_all(folder).expect("removed");
    }
}
