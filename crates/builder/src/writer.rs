//! A layer in the making, written as a container on top of the lower ones would see it.

use crate::error::Trouble;
use crate::ground::{Floor, Ground};
use base::files::FileError;
use blobs::{Node, TreeWriter, View};
use oci::tar::{Entry, EntryPath, Kind, Mtime};
use rustix::fs::FileType;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::path::Path;

/// What a path is, in the new layer or below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Folder,
    Link,
    Other,
}

/// A layer in the making.
pub(crate) struct LayerWriter<'a> {
    view: &'a View,
    tree: TreeWriter,
    written: HashMap<EntryPath, Written>,
    /// Time of what has none of its own.
    time: i64,
    /// What is known of the layers below, where they are not looked at.
    ground: Ground,
}

enum Written {
    /// Whether lower layers have nothing at its path, and so nothing in it.
    Folder {
        new: bool,
    },
    Link(Vec<u8>),
    Other,
}

impl<'a> LayerWriter<'a> {
    pub(crate) fn create(path: &Path, view: &'a View, time: i64) -> Result<Self, Trouble> {
        Self::on(path, view, time, Ground::default())
    }

    /// On layers of which nothing is known but some folders; `view` is of none.
    pub(crate) fn on(path: &Path, view: &'a View, time: i64, ground: Ground) -> Result<Self, Trouble> {
        Ok(Self { view, tree: TreeWriter::create(path)?, written: HashMap::new(), time, ground })
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    pub(crate) fn finish(self) -> Result<(), Trouble> {
        Ok(self.tree.finish()?)
    }

    /// Where a path leads, all links followed within the root.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<EntryPath, Trouble> {
        let resolved = blobs::resolve_with(path, |path| match self.written.get(path) {
            Some(Written::Link(target)) => Ok(Some(target.clone())),
            Some(_) => Ok(None),
            None => match self.view.node(path)? {
                Some(node) if node.file_type() == FileType::Symlink => self.view.read_link(path, &node).map(Some),
                _ => Ok(None),
            },
        });
        Ok(resolved?)
    }

    /// What is at a path, links not followed.
    pub(crate) fn existing(&self, path: &EntryPath) -> Result<Option<Existing>, Trouble> {
        if path.is_root() {
            return Ok(Some(Existing::Folder));
        }
        if let Some(written) = self.written.get(path) {
            return Ok(Some(match written {
                Written::Folder { .. } => Existing::Folder,
                Written::Link(_) => Existing::Link,
                Written::Other => Existing::Other,
            }));
        }
        if self.ground.floor(path).is_some() {
            return Ok(Some(Existing::Folder));
        }
        Ok(self.below(path)?.map(|node| match node.file_type() {
            FileType::Directory => Existing::Folder,
            FileType::Symlink => Existing::Link,
            _ => Existing::Other,
        }))
    }

    /// Makes sure that a folder is there, and those above it: as they are below, or new with that owner and mode 0755.
    pub(crate) fn folders(&mut self, path: &EntryPath, owner: (u32, u32)) -> Result<(), Trouble> {
        let mut missing = Vec::new();
        let mut above = path.clone();
        while let Some((next, _)) = above.split() {
            if matches!(self.written.get(&above), Some(Written::Folder { .. })) {
                break;
            }
            missing.push(std::mem::replace(&mut above, next));
        }
        for folder in missing.into_iter().rev() {
            let below = self.below(&folder)?;
            let floor = self.ground.floor(&folder).cloned();
            let new = below.is_none() && floor.is_none();
            let entry = match below {
                _ if self.written.contains_key(&folder) => return Err(no_folder(&folder)),
                Some(node) if node.is_folder() => Entry {
                    mode: node.stat.st_mode & 0o7777,
                    uid: node.stat.st_uid,
                    gid: node.stat.st_gid,
                    mtime: Mtime { seconds: node.stat.st_mtime, nanos: 0 },
                    xattrs: self.view.xattrs(&folder, &node)?,
                    ..self.new_folder(folder, owner)
                },
                Some(_) => return Err(no_folder(&folder)),
                None => match floor {
                    Some(Floor { mode, uid, gid, xattrs }) => Entry { mode, xattrs, ..self.new_folder(folder, (uid, gid)) },
                    None => self.new_folder(folder, owner),
                },
            };
            self.tree.make(&entry)?;
            self.written.insert(entry.path, Written::Folder { new });
        }
        Ok(())
    }

    /// What lower layers have at a path; they are not asked where a folder above is new.
    fn below(&self, path: &EntryPath) -> Result<Option<Node>, Trouble> {
        if path.split().is_some_and(|(above, _)| matches!(self.written.get(&above), Some(Written::Folder { new: true }))) {
            return Ok(None);
        }
        Ok(self.view.node(path)?)
    }

    fn new_folder(&self, path: EntryPath, owner: (u32, u32)) -> Entry {
        let mtime = Mtime { seconds: self.time, nanos: 0 };
        Entry { path, kind: Kind::Folder, mode: 0o755, uid: owner.0, gid: owner.1, mtime, xattrs: BTreeMap::new() }
    }

    /// Writes something; its folder must be there. What is there already is replaced, but for a folder by what is none and the
    /// other way round.
    pub(crate) fn put(&mut self, entry: &Entry, content: Option<&mut dyn Read>) -> Result<(), Trouble> {
        let existing = self.existing(&entry.path)?;
        if entry.kind == Kind::Folder {
            if existing.is_some_and(|existing| existing != Existing::Folder) {
                return Err(no_folder(&entry.path));
            }
            self.tree.make(entry)?;
            let new = if let Some(Written::Folder { new }) = self.written.get(&entry.path) { *new } else { existing.is_none() };
            self.written.insert(entry.path.clone(), Written::Folder { new });
            return Ok(());
        }
        if existing == Some(Existing::Folder) {
            return Err(Trouble::new(format!("`/{}` is a folder and cannot be replaced by something else", entry.path)));
        }
        if self.written.contains_key(&entry.path) {
            self.tree.remove(&entry.path)?;
        }
        match (&entry.kind, content) {
            (Kind::File { size }, Some(content)) => self.file(entry, *size, content)?,
            _ => self.tree.make(entry)?,
        }
        let written = if let Kind::Symlink { target } = &entry.kind { Written::Link(target.clone()) } else { Written::Other };
        self.written.insert(entry.path.clone(), written);
        Ok(())
    }

    fn file(&mut self, entry: &Entry, size: u64, content: &mut dyn Read) -> Result<(), Trouble> {
        let mut file = self.tree.file(entry)?;
        let copied = io::copy(content, &mut file).map_err(|error| FileError::new("write", self.tree.shown(&entry.path), error))?;
        if copied != size {
            return Err(Trouble::new(format!("the file for `/{}` changed while it was copied", entry.path))
                .hint("build again when nothing writes to the context"));
        }
        Ok(self.tree.seal(&file, entry)?)
    }
}

fn no_folder(path: &EntryPath) -> Trouble {
    Trouble::new(format!("`/{path}` is no folder, and something is to be copied as or into one"))
}
