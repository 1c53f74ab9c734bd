//! Unpacked trees: read and written strictly below their root, whatever the names say.

mod writer;

pub use writer::TreeWriter;

use crate::error::at;
use base::files::FileError;
use oci::tar::EntryPath;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Names in the path are never followed as links, and never lead out.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
/// The attribute by which the overlay file system knows that a folder hides those below it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// A folder whose content is reached by paths that cannot leave it.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens it; links in `path` itself are followed.
    ///
    /// # Errors
    /// When it cannot be opened as a folder.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let fd = fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(at("open", path))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Where something in it is, for messages.
    pub fn shown(&self, path: &EntryPath) -> PathBuf {
        self.path.join(OsStr::from_bytes(path.as_bytes()))
    }

    /// What is there, links not followed; `None` when nothing is, also when a part of the path is no folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn stat(&self, path: &EntryPath) -> Result<Option<Stat>, FileError> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => fs::fstat(&fd).map(Some).map_err(at("read", &self.shown(path))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(FileError::new("read", self.shown(path), error.into())),
        }
    }

    /// A handle of what is there, links not followed, for whoever wants more than one thing of it; as [`Folder::stat`].
    pub(crate) fn member(&self, path: &EntryPath) -> Result<Option<Member>, FileError> {
        match self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => Ok(Some(Member { fd, shown: self.shown(path) })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(FileError::new("read", self.shown(path), error.into())),
        }
    }

    /// A file's content.
    ///
    /// # Errors
    /// When it is no file, or the system refuses.
    pub fn open_file(&self, path: &EntryPath) -> Result<File, FileError> {
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK).map_err(at("open", &self.shown(path)))?;
        Ok(File::from(fd))
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// When it is no link.
    pub fn read_link(&self, path: &EntryPath) -> Result<Vec<u8>, FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(at("read", &shown))?;
        fs::readlinkat(&fd, "", Vec::new()).map(|target| target.into_bytes()).map_err(at("read", &shown))
    }

    /// The names in a folder, sorted by their bytes.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn list(&self, path: &EntryPath) -> Result<Vec<Vec<u8>>, FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW).map_err(at("list", &shown))?;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&fd).map_err(at("list", &shown))? {
            let entry = entry.map_err(at("list", &shown))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// All extended attributes, by full name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn xattrs(&self, path: &EntryPath) -> Result<BTreeMap<String, Vec<u8>>, FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(at("read", &shown))?;
        read_xattrs(&through(&fd)).map_err(at("read", &shown))
    }

    /// Whether a folder hides those below it.
    pub(crate) fn is_opaque(&self, path: &EntryPath) -> Result<bool, FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(at("read", &shown))?;
        let mut value = [0u8; 2];
        match fs::getxattr(through(&fd), OPAQUE, &mut value[..]) {
            Ok(length) => Ok(length == 1 && value.first() == Some(&b'y')),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
            Err(error) => Err(FileError::new("read", shown, error.into())),
        }
    }

    pub(crate) fn remove_file(&self, path: &EntryPath) -> Result<(), FileError> {
        let shown = self.shown(path);
        let Some((parent, name)) = path.split() else { return Ok(()) };
        let fd = self.open_at(&parent, OFlags::PATH | OFlags::DIRECTORY).map_err(at("remove", &shown))?;
        fs::unlinkat(&fd, OsStr::from_bytes(name), AtFlags::empty()).map_err(at("remove", &shown))
    }

    fn open_at(&self, path: &EntryPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        open_inside(self.fd.as_fd(), path, flags)
    }
}

/// Something in a folder, opened for its path only.
#[derive(Debug)]
pub(crate) struct Member {
    fd: OwnedFd,
    /// Where it is, for messages.
    pub shown: PathBuf,
}

impl Member {
    pub(crate) fn stat(&self) -> Result<Stat, FileError> {
        fs::fstat(&self.fd).map_err(at("read", &self.shown))
    }

    pub(crate) fn xattrs(&self) -> Result<BTreeMap<String, Vec<u8>>, FileError> {
        read_xattrs(&through(&self.fd)).map_err(at("read", &self.shown))
    }

    pub(crate) fn remove_xattr(&self, name: &str) -> Result<(), FileError> {
        fs::removexattr(through(&self.fd), name).map_err(at("change", &self.shown))
    }

    pub(crate) fn set_mtime(&self, seconds: i64) -> Result<(), FileError> {
        fs::utimensat(&self.fd, "", &times(seconds, 0), AtFlags::EMPTY_PATH).map_err(at("change", &self.shown))
    }
}

/// Whether a folder on the disk is marked as hiding what lies below it in an overlay.
///
/// # Errors
/// When it cannot be opened.
pub fn is_opaque(path: &Path) -> Result<bool, FileError> {
    Folder::open(path)?.is_opaque(&EntryPath::default())
}

fn open_inside(root: BorrowedFd<'_>, path: &EntryPath, flags: OFlags) -> Result<OwnedFd, Errno> {
    let name: &[u8] = if path.is_root() { b"." } else { path.as_bytes() };
    loop {
        match fs::openat2(root, OsStr::from_bytes(name), flags | OFlags::CLOEXEC, Mode::empty(), INSIDE) {
            // The kernel could not prove that a rename elsewhere did not lead out: try again.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

/// The path by which an open file's attributes are reached although it was opened for its path only.
fn through(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

pub(crate) fn read_xattrs(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Errno> {
    let mut attributes = BTreeMap::new();
    let length = match fs::listxattr_query(path) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error),
    };
    if length == 0 {
        return Ok(attributes);
    }
    let mut names = vec![0u8; 64 * 1024];
    let length = fs::listxattr(path, &mut names[..])?;
    for name in names.get(..length).unwrap_or_default().split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let Ok(text) = std::str::from_utf8(name) else { continue };
        let mut value = vec![0u8; 64 * 1024];
        match fs::getxattr(path, text, &mut value[..]) {
            Ok(length) => value.truncate(length),
            Err(Errno::NODATA | Errno::NOTSUP) => continue,
            Err(error) => return Err(error),
        }
        attributes.insert(text.to_owned(), value);
    }
    Ok(attributes)
}

/// Whether a layer keeps this attribute; others belong to the host.
pub(crate) fn is_kept(attribute: &str) -> bool {
    attribute == "security.capability" || attribute.starts_with("user.") && !attribute.starts_with("user.overlay.")
}

pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn times(seconds: i64, nanos: u32) -> Timestamps {
    let at = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: at, last_modification: at }
}
