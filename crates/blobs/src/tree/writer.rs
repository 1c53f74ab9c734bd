//! Trees in the making, member by member.

use super::{Folder, OPAQUE, is_kept, times};
use crate::error::at;
use base::files::FileError;
use oci::tar::{Entry, EntryPath, Kind};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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
