//! One folder whose content is reached by names that cannot lead out of it.

use super::archive::Index;
use super::content::Content;
use base::files::FileError;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// The attribute by which the overlay file system knows that a folder hides those below it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// A folder, or a layer within an archive; and which layer it is.
#[derive(Debug)]
pub(super) struct Root {
    place: Place,
    pub(super) layer: Option<String>,
}

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Archive { file: File, index: Index },
}

#[derive(Debug)]
struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Folder,
    File { size: u64, executable: bool },
    Whiteout,
    Other,
}

impl Root {
    pub(super) fn open(path: &Path, layer: Option<String>) -> Result<Self, FileError> {
        let fd = fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let fd = fd.map_err(|error| FileError::new("open", path, error.into()))?;
        Ok(Self { place: Place::Folder(Folder { fd, path: path.to_owned() }), layer })
    }

    pub(super) fn archived(file: File, index: Index, layer: String) -> Self {
        Self { place: Place::Archive { file, index }, layer: Some(layer) }
    }

    pub(super) fn open_file(&self, path: &[u8]) -> Result<Content, FileError> {
        match &self.place {
            Place::Folder(folder) => folder.open_file(path),
            Place::Archive { file, index } => index.open(file, path),
        }
    }

    /// Size and whether it is executable; `None` when there is no regular file.
    pub(super) fn stat_file(&self, path: &[u8]) -> Result<Option<(u64, bool)>, FileError> {
        match &self.place {
            Place::Folder(folder) => folder.stat_file(path),
            Place::Archive { index, .. } => Ok(index.stat_file(path)),
        }
    }

    /// Visits a folder's names; whether it hides the folders below it.
    pub(super) fn list(&self, path: &[u8], visit: &mut dyn FnMut(&[u8], Sort)) -> Result<bool, FileError> {
        match &self.place {
            Place::Folder(folder) => folder.list(path, visit),
            Place::Archive { index, .. } => Ok(index.list(path, visit)),
        }
    }
}

impl Folder {
    fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let name = if path.is_empty() { b"." } else { path };
        loop {
            match fs::openat2(&self.fd, OsStr::from_bytes(name), flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), INSIDE) {
                // The kernel could not prove that a rename elsewhere did not lead out: try again.
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
    }

    fn failed(&self, verb: &'static str, path: &[u8], error: Errno) -> FileError {
        FileError::new(verb, self.path.join(OsStr::from_bytes(path)), error.into())
    }

    fn open_file(&self, path: &[u8]) -> Result<Content, FileError> {
        // Without NONBLOCK a pipe put there meanwhile would be waited for.
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NONBLOCK).map_err(|error| self.failed("open", path, error))?;
        Content::whole(File::from(fd)).map_err(|error| FileError::new("open", self.path.join(OsStr::from_bytes(path)), error))
    }

    fn stat_file(&self, path: &[u8]) -> Result<Option<(u64, bool)>, FileError> {
        let fd = match self.open_at(path, OFlags::PATH) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(self.failed("read", path, error)),
        };
        let stat = fs::fstat(&fd).map_err(|error| self.failed("read", path, error))?;
        Ok(match sort(&stat) {
            Sort::File { size, executable } => Some((size, executable)),
            _ => None,
        })
    }

    fn list(&self, path: &[u8], visit: &mut dyn FnMut(&[u8], Sort)) -> Result<bool, FileError> {
        let failed = |error| self.failed("list", path, error);
        let folder = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
        for entry in fs::Dir::read_from(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let sort = match entry.file_type() {
                FileType::Directory => Sort::Folder,
                FileType::RegularFile | FileType::CharacterDevice | FileType::Unknown => {
                    sort(&fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?)
                }
                _ => Sort::Other,
            };
            visit(name.to_bytes(), sort);
        }
        is_opaque(folder.as_fd()).map_err(failed)
    }
}

fn is_opaque(folder: impl AsFd) -> Result<bool, Errno> {
    let mut value = [0u8; 2];
    match fs::fgetxattr(folder, OPAQUE, &mut value[..]) {
        Ok(length) => Ok(length == 1 && value.first() == Some(&b'y')),
        Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}

fn sort(stat: &fs::Stat) -> Sort {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Sort::Folder,
        FileType::RegularFile => {
            Sort::File { size: u64::try_from(stat.st_size).unwrap_or_default(), executable: stat.st_mode & 0o111 != 0 }
        }
        FileType::CharacterDevice if stat.st_rdev == 0 => Sort::Whiteout,
        _ => Sort::Other,
    }
}
