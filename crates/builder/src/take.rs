//! Things of a context or of layers as files of the host: what a mount shows.

use crate::error::Trouble;
use crate::origin::{Item, Origin, Picked, joined};
use base::files::FileError;
use blobs::TreeWriter;
use oci::tar::{Entry, EntryPath, Kind, Mtime};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What times things of a context get; those of layers keep theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// All this one: nothing can tell when a file was changed.
    All(i64),
    /// Their own, for tools that compare the times of what they made with those of their sources.
    Own,
}

/// Whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    /// Of a context root's, of layers as they are there.
    Kept,
    /// All of this one; then extended attributes, which only root can set, are left out.
    All(u32, u32),
}

/// What things become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taking {
    pub times: Times,
    pub owners: Owners,
}

/// Copies a picked thing into the folder `place`, which must not be there; gives where it is: a folder is `place` itself.
pub(crate) fn take(origin: &Origin<'_>, picked: &Picked, place: &Path, taking: Taking) -> Result<PathBuf, Trouble> {
    let mut taker = Taker { origin, taking, tree: TreeWriter::create(place)?, links: HashMap::new() };
    if !picked.item.is_folder() {
        let here = EntryPath::parse(b"file").map_err(|fault| Trouble::new(fault.to_string()))?;
        taker.put(&picked.path, &picked.item, &here)?;
        taker.tree.finish()?;
        return Ok(place.join("file"));
    }
    for (relative, item) in &picked.below {
        taker.put(&joined(&picked.path, relative)?, item, relative)?;
    }
    let root = taker.entry(&picked.item, &EntryPath::default());
    taker.tree.finish()?;
    if let Some(root) = root {
        settle(place, &root).map_err(|error| FileError::new("prepare", place, error))?;
    }
    Ok(place.to_owned())
}

struct Taker<'a, 'b> {
    origin: &'a Origin<'b>,
    taking: Taking,
    tree: TreeWriter,
    links: HashMap<(u64, u64), EntryPath>,
}

impl Taker<'_, '_> {
    fn entry(&self, item: &Item, place: &EntryPath) -> Option<Entry> {
        let own = Mtime { seconds: item.stat.st_mtime, nanos: u32::try_from(item.stat.st_mtime_nsec).unwrap_or(0) };
        let of_host = self.origin.is_context();
        let mtime = match self.taking.times {
            Times::All(seconds) if of_host => Mtime { seconds, nanos: 0 },
            _ => own,
        };
        let ((uid, gid), xattrs) = match self.taking.owners {
            Owners::All(uid, gid) => ((uid, gid), BTreeMap::new()),
            Owners::Kept if of_host => ((0, 0), BTreeMap::new()),
            Owners::Kept => ((item.stat.st_uid, item.stat.st_gid), item.xattrs.clone()),
        };
        let mode = item.stat.st_mode & 0o7777;
        Some(Entry { path: place.clone(), kind: item.kind()?, mode, uid, gid, mtime, xattrs })
    }

    fn put(&mut self, source: &EntryPath, item: &Item, place: &EntryPath) -> Result<(), Trouble> {
        let Some(mut entry) = self.entry(item, place) else { return Ok(()) };
        if !self.origin.is_context() && item.stat.st_nlink > 1 && !item.is_folder() {
            let first = self.links.entry((item.stat.st_dev, item.stat.st_ino)).or_insert_with(|| place.clone());
            if first != place {
                entry.kind = Kind::Hardlink { target: first.clone() };
            }
        }
        if !matches!(entry.kind, Kind::File { .. }) {
            return Ok(self.tree.make(&entry)?);
        }
        let mut file = self.tree.file(&entry)?;
        let copied = io::copy(&mut self.origin.open(source)?, &mut file);
        copied.map_err(|error| FileError::new("write", self.tree.shown(place), error))?;
        Ok(self.tree.seal(&file, &entry)?)
    }
}

/// The folder that the tree is in was made by this process, and nobody else can reach it yet.
fn settle(place: &Path, root: &Entry) -> io::Result<()> {
    chown(place, Some(root.uid), Some(root.gid))?;
    fs::set_permissions(place, fs::Permissions::from_mode(root.mode))?;
    let since = Duration::new(u64::try_from(root.mtime.seconds).unwrap_or(0), root.mtime.nanos);
    File::open(place)?.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + since))
}
