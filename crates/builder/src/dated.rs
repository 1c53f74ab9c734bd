//! Layers with times that tell what changed, for steps that compare them with what an earlier build left in a cache mount.
//!
//! Files that a build writes all have one time, so that equal builds give equal layers. Tools that rebuild what is older than its
//! sources (make, ninja, cargo) would then find nothing to do in a cache, whatever was changed. Such steps see copies of this build's
//! layers: what came from the context as old as it is on the host - as docker has it always -, all else as old as its layer.

use crate::error::Trouble;
use crate::origin::Picked;
use crate::stage::Layer;
use base::files::FileError;
use blobs::{Folder, TreeWriter};
use oci::tar::{Entry, EntryPath, Kind, Mtime};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, major, minor};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// When what was copied from a context was changed, by its path in what was copied.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    files: BTreeMap<Vec<u8>, Mtime>,
}

impl Dates {
    /// Notes a picked thing of a context, and what is below it.
    pub(crate) fn note(&mut self, picked: &Picked) {
        if !picked.item.is_folder() {
            self.add(&picked.name, &picked.item.stat);
        }
        for (path, item) in picked.below.iter().filter(|(_, item)| !item.is_folder()) {
            self.add(path.as_bytes(), &item.stat);
        }
    }

    fn add(&mut self, path: &[u8], stat: &Stat) {
        let mtime = mtime(stat);
        self.files.entry(path.to_vec()).and_modify(|known| *known = (*known).max(mtime)).or_insert(mtime);
    }

    /// The time of a path in the layer: its end is the path in what was copied.
    fn of(&self, path: &EntryPath) -> Option<Mtime> {
        let mut rest = path.as_bytes();
        loop {
            if let Some(found) = self.files.get(rest) {
                return Some(*found);
            }
            let next = rest.iter().position(|&b| b == b'/')?;
            rest = rest.get(next + 1..)?;
        }
    }
}

/// The dated copies of one step.
#[derive(Debug)]
pub(crate) struct Dated {
    /// All layers of the step, the topmost first.
    pub trees: Vec<PathBuf>,
    /// What has another time than its layer says, with it.
    changed: Vec<(EntryPath, Mtime)>,
}

impl Dated {
    /// Copies the layers of this build into the folder `temp`; those of the base stay.
    pub(crate) fn of(layers: &[Layer], layer_time: i64, temp: &Path) -> Result<Self, Trouble> {
        let (mut trees, mut changed) = (Vec::new(), Vec::new());
        for tree in crate::stage::trees(layers) {
            let own = layers.iter().rev().find(|layer| layer.lease.path() == tree).and_then(|layer| layer.dates.as_deref());
            let Some(dates) = own else {
                trees.push(tree);
                continue;
            };
            let place = temp.join(format!("dated-{}", trees.len()));
            let mut copy = Copy {
                from: Folder::open(&tree)?,
                tree: TreeWriter::create(&place)?,
                made: made(&tree)?,
                dates,
                layer_time,
                links: HashMap::new(),
                changed: &mut changed,
            };
            copy.folder()?;
            copy.tree.finish()?;
            trees.push(place);
        }
        Ok(Self { trees, changed })
    }

    /// Gives what was copied up with a dated time the layers' own again: the time of a file on the host is in no layer.
    pub(crate) fn undo(&self, upper: &Path, layer_time: i64) -> Result<(), Trouble> {
        let fail = |error: rustix::io::Errno| FileError::new("date", upper, error.into());
        let root = rustix::fs::open(upper, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(fail)?;
        let at = Timespec { tv_sec: layer_time, tv_nsec: 0 };
        for (path, dated) in &self.changed {
            let name = OsStr::from_bytes(path.as_bytes());
            // Not through links, which the step may have made.
            let Ok(file) = sys::path::open_beneath_strict(&root, name, OFlags::PATH | OFlags::NOFOLLOW) else { continue };
            if mtime(&rustix::fs::fstat(&file).map_err(fail)?) == *dated {
                let times = Timestamps { last_access: at, last_modification: at };
                rustix::fs::utimensat(&file, "", &times, AtFlags::EMPTY_PATH).map_err(fail)?;
            }
        }
        Ok(())
    }
}

fn mtime(stat: &Stat) -> Mtime {
    Mtime { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) }
}

/// When a layer came into the store.
fn made(tree: &Path) -> Result<Mtime, FileError> {
    let recipe = tree.with_file_name("recipe");
    let meta = fs::symlink_metadata(&recipe).map_err(|error| FileError::new("read", recipe, error))?;
    Ok(Mtime { seconds: meta.mtime(), nanos: u32::try_from(meta.mtime_nsec()).unwrap_or(0) })
}

struct Copy<'a> {
    from: Folder,
    tree: TreeWriter,
    made: Mtime,
    dates: &'a Dates,
    layer_time: i64,
    links: HashMap<(u64, u64), EntryPath>,
    changed: &'a mut Vec<(EntryPath, Mtime)>,
}

impl Copy<'_> {
    fn folder(&mut self) -> Result<(), Trouble> {
        let mut open = vec![EntryPath::default()];
        while let Some(folder) = open.pop() {
            for name in self.from.list(&folder)? {
                let path = folder.join(&name).map_err(|fault| Trouble::new(fault.to_string()))?;
                let Some(stat) = self.from.stat(&path)? else { continue };
                self.member(&path, &stat)?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    open.push(path);
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, path: &EntryPath, stat: &Stat) -> Result<(), Trouble> {
        let xattrs = self.from.xattrs(path)?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 => return Ok(self.tree.hide(path)?),
            FileType::RegularFile if stat.st_mtime != self.layer_time => return self.link(path),
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File { size: u64::try_from(stat.st_size).unwrap_or(0) },
            FileType::Symlink => Kind::Symlink { target: self.from.read_link(path)? },
            FileType::CharacterDevice => Kind::Char { major: major(stat.st_rdev), minor: minor(stat.st_rdev) },
            FileType::BlockDevice => Kind::Block { major: major(stat.st_rdev), minor: minor(stat.st_rdev) },
            _ => Kind::Fifo,
        };
        let opaque = xattrs.contains_key("trusted.overlay.opaque");
        let own = mtime(stat);
        let time = if own.seconds == self.layer_time { self.dates.of(path).unwrap_or(self.made) } else { own };
        let mut entry =
            Entry { path: path.clone(), kind, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime: time, xattrs };
        if stat.st_nlink > 1 && entry.kind != Kind::Folder {
            let first = self.links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.clone());
            if first != path {
                entry.kind = Kind::Hardlink { target: first.clone() };
            }
        }
        if time != own {
            self.changed.push((path.clone(), time));
        }
        if matches!(entry.kind, Kind::File { .. }) {
            let mut file = self.tree.file(&entry)?;
            let copied = std::io::copy(&mut self.from.open_file(path)?, &mut file);
            copied.map_err(|error| FileError::new("write", self.tree.shown(path), error))?;
            self.tree.seal(&file, &entry)?;
        } else {
            self.tree.make(&entry)?;
        }
        if opaque { Ok(self.tree.opaque(path)?) } else { Ok(()) }
    }

    /// A file whose time says something already: the very file. Both paths are in folders of ours that no container can write to.
    fn link(&self, path: &EntryPath) -> Result<(), Trouble> {
        let (from, to) = (self.from.shown(path), self.tree.shown(path));
        Ok(fs::hard_link(&from, &to).map_err(|error| FileError::new("link", to, error))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layers_path_ends_with_that_of_the_context() {
        let time = |seconds| Mtime { seconds, nanos: 0 };
        let mut dates = Dates::default();
        dates.files.extend([(b"main.rs".to_vec(), time(1)), (b"bin/main.rs".to_vec(), time(2))]);
        let of = |path: &str| dates.of(&EntryPath::parse(path.as_bytes()).expect("path"));
        assert_eq!(
            [of("app/src/main.rs"), of("app/bin/main.rs"), of("app/other.rs"), of("main.rs.txt")],
            [Some(time(1)), Some(time(2)), None, None]
        );
    }
}
