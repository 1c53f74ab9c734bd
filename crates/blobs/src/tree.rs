//! Unpacked trees: read and written strictly below their root, whatever the names say.

use crate::error::at;
use base::files::FileError;
use oci::tar::{Entry, EntryPath, Kind};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
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

    pub(crate) fn remove_xattr(&self, path: &EntryPath, name: &str) -> Result<(), FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(at("change", &shown))?;
        fs::removexattr(through(&fd), name).map_err(at("change", &shown))
    }

    pub(crate) fn set_mtime(&self, path: &EntryPath, seconds: i64) -> Result<(), FileError> {
        let shown = self.shown(path);
        let fd = self.open_at(path, OFlags::PATH | OFlags::NOFOLLOW).map_err(at("change", &shown))?;
        fs::utimensat(&fd, "", &times(seconds, 0), AtFlags::EMPTY_PATH).map_err(at("change", &shown))
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

/// Makes a tree member by member, in any order that a [`oci::tar::Guard`] lets pass.
#[derive(Debug)]
pub struct TreeWriter {
    root: Folder,
    parent: Option<(EntryPath, OwnedFd)>,
    folders: Vec<Entry>,
    hidden: HashSet<EntryPath>,
}

impl TreeWriter {
    /// Makes the tree's root.
    ///
    /// # Errors
    /// When it exists, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        fs::mkdir(path, Mode::from_raw_mode(0o755)).map_err(at("create", path))?;
        fs::chmod(path, Mode::from_raw_mode(0o755)).map_err(at("create", path))?;
        Ok(Self { root: Folder::open(path)?, parent: None, folders: Vec::new(), hidden: HashSet::new() })
    }

    /// Where a member is, for messages.
    pub fn shown(&self, path: &EntryPath) -> PathBuf {
        self.root.shown(path)
    }

    /// Makes a member that has no content: all but files.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(&mut self, entry: &Entry) -> Result<(), FileError> {
        if entry.kind == Kind::Folder {
            return self.folder(entry);
        }
        self.unhide(&entry.path)?;
        let shown = self.root.shown(&entry.path);
        let fail = at("create", &shown);
        if let Kind::Hardlink { target } = &entry.kind {
            return self.hardlink(target, &entry.path);
        }
        let (parent, name) = self.parent(&entry.path)?;
        let node = |kind, device| fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device);
        match &entry.kind {
            Kind::Symlink { target } => fs::symlinkat(OsStr::from_bytes(target), parent, name),
            Kind::Char { major, minor } => node(FileType::CharacterDevice, fs::makedev(*major, *minor)),
            Kind::Block { major, minor } => node(FileType::BlockDevice, fs::makedev(*major, *minor)),
            _ => node(FileType::Fifo, 0),
        }
        .map_err(&fail)?;
        own(parent, name, entry).map_err(&fail)?;
        if !matches!(entry.kind, Kind::Symlink { .. }) {
            fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty()).map_err(&fail)?;
        }
        fs::utimensat(parent, name, &times(entry.mtime.seconds, entry.mtime.nanos), AtFlags::SYMLINK_NOFOLLOW).map_err(&fail)
    }

    /// Makes an empty file; write its content, then [`TreeWriter::seal`] it.
    ///
    /// # Errors
    /// When it exists, or the system refuses.
    pub fn file(&mut self, entry: &Entry) -> Result<File, FileError> {
        self.unhide(&entry.path)?;
        let shown = self.root.shown(&entry.path);
        let (parent, name) = self.parent(&entry.path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(parent, name, flags, Mode::from_raw_mode(0o600)).map(File::from).map_err(at("create", &shown))
    }

    /// Takes away a member that is no folder, so that another can take its path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&mut self, path: &EntryPath) -> Result<(), FileError> {
        self.hidden.remove(path);
        self.root.remove_file(path)
    }

    /// Gives a written file its owner, attributes, mode and time.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn seal(&self, file: &File, entry: &Entry) -> Result<(), FileError> {
        let seal = || -> Result<(), Errno> {
            if (entry.uid, entry.gid) != (0, 0) || !rustix::process::geteuid().is_root() {
                fs::fchown(file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
            }
            // After the owner: changing it takes capabilities and setuid away.
            fs::fchmod(file, Mode::from_raw_mode(entry.mode))?;
            for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_kept(name)) {
                fs::fsetxattr(file, name.as_str(), value, XattrFlags::empty())?;
            }
            fs::futimens(file, &times(entry.mtime.seconds, entry.mtime.nanos))
        };
        seal().map_err(at("write", &self.root.shown(&entry.path)))
    }

    /// Hides what lower layers have at this path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hide(&mut self, path: &EntryPath) -> Result<(), FileError> {
        let shown = self.root.shown(path);
        let (parent, name) = self.parent(path)?;
        match fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => {
                self.hidden.insert(path.clone());
                Ok(())
            }
            // Something of this layer is there already: it hides by itself, a folder when it is opaque.
            Err(Errno::EXIST) => match self.root.stat(path)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => self.opaque(path),
                _ => Ok(()),
            },
            Err(error) => Err(FileError::new("create", shown, error.into())),
        }
    }

    /// Hides what lower layers have in this folder, which is made when missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn opaque(&mut self, path: &EntryPath) -> Result<(), FileError> {
        let shown = self.root.shown(path);
        self.ensure(path)?;
        let fd = self.root.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(at("open", &shown))?;
        fs::fsetxattr(&fd, OPAQUE, b"y", XattrFlags::empty()).map_err(at("mark", &shown))
    }

    /// Gives all folders their owners, modes and times; the tree is complete then.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.parent = None;
        for entry in std::mem::take(&mut self.folders) {
            let shown = self.root.shown(&entry.path);
            let dress = || -> Result<(), Errno> {
                let fd = self.root.open_at(&entry.path, OFlags::RDONLY | OFlags::DIRECTORY)?;
                fs::fchown(&fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
                fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
                for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_kept(name)) {
                    fs::fsetxattr(&fd, name.as_str(), value, XattrFlags::empty())?;
                }
                fs::futimens(&fd, &times(entry.mtime.seconds, entry.mtime.nanos))
            };
            dress().map_err(at("write", &shown))?;
        }
        Ok(())
    }

    fn folder(&mut self, entry: &Entry) -> Result<(), FileError> {
        self.ensure(&entry.path)?;
        self.folders.push(entry.clone());
        Ok(())
    }

    fn hardlink(&mut self, target: &EntryPath, path: &EntryPath) -> Result<(), FileError> {
        let shown = self.root.shown(path);
        let fail = at("link", &shown);
        let Some((from, from_name)) = target.split() else { return Err(fail(Errno::ISDIR)) };
        let from = self.root.open_at(&from, OFlags::PATH | OFlags::DIRECTORY).map_err(&fail)?;
        let (parent, name) = self.parent(path)?;
        fs::linkat(&from, OsStr::from_bytes(from_name), parent, name, AtFlags::empty()).map_err(&fail)
    }

    /// The open folder that a path is in, made when missing, and the path's last name.
    fn parent<'a>(&'a mut self, path: &'a EntryPath) -> Result<(BorrowedFd<'a>, &'a OsStr), FileError> {
        let (folder, name) = path.split().ok_or_else(|| FileError::new("create", self.root.path.clone(), Errno::EXIST.into()))?;
        if self.parent.as_ref().is_none_or(|(known, _)| *known != folder) {
            self.ensure(&folder)?;
            let fd = self.root.open_at(&folder, OFlags::PATH | OFlags::DIRECTORY).map_err(at("open", &self.root.shown(&folder)))?;
            self.parent = Some((folder, fd));
        }
        let fd = self.parent.as_ref().map(|(_, fd)| fd.as_fd()).expect("it was just set");
        Ok((fd, OsStr::from_bytes(name)))
    }

    /// Makes a folder and those above it where they are missing.
    fn ensure(&mut self, path: &EntryPath) -> Result<(), FileError> {
        let mut missing = Vec::new();
        let mut above = path.clone();
        while let Some((next, _)) = above.split() {
            if self.root.open_at(&above, OFlags::PATH | OFlags::DIRECTORY).is_ok() {
                break;
            }
            missing.push(std::mem::replace(&mut above, next));
        }
        for folder in missing.into_iter().rev() {
            let shown = self.root.shown(&folder);
            let was_hidden = self.unhide(&folder)?;
            let (above, name) = folder.split().expect("the root exists");
            let fd = self.root.open_at(&above, OFlags::PATH | OFlags::DIRECTORY).map_err(at("open", &shown))?;
            fs::mkdirat(&fd, OsStr::from_bytes(name), Mode::from_raw_mode(0o755)).map_err(at("create", &shown))?;
            if was_hidden {
                let fd = self.root.open_at(&folder, OFlags::RDONLY | OFlags::DIRECTORY).map_err(at("open", &shown))?;
                fs::fsetxattr(&fd, OPAQUE, b"y", XattrFlags::empty()).map_err(at("mark", &shown))?;
            }
            // Until a member says otherwise: nobody's time, so that equal archives give equal trees.
            fs::utimensat(&fd, OsStr::from_bytes(name), &times(0, 0), AtFlags::SYMLINK_NOFOLLOW).map_err(at("write", &shown))?;
            let implied =
                Entry { path: folder, kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0, mtime: Default::default(), xattrs: BTreeMap::new() };
            self.folders.push(implied);
        }
        Ok(())
    }

    fn unhide(&mut self, path: &EntryPath) -> Result<bool, FileError> {
        let hidden = self.hidden.remove(path);
        if hidden {
            self.root.remove_file(path)?;
        }
        Ok(hidden)
    }
}

fn own(parent: BorrowedFd<'_>, name: &OsStr, entry: &Entry) -> Result<(), Errno> {
    fs::chownat(parent, name, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)), AtFlags::SYMLINK_NOFOLLOW)
}
