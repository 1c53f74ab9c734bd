//! A store's folder as it is found: its lock, its log replayed, its files.

use super::{FILES, LOG, OpenError, failed};
use crate::index::{At, Index, Place, Segment};
use crate::log::{self, Damage, Scanned};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a folder holds, read.
pub(crate) struct Loaded {
    pub(crate) index: Index,
    pub(crate) damage: Vec<Damage>,
    pub(super) last: Option<Scanned>,
    /// Segments that were made in advance and never used.
    pub(super) empty: Vec<PathBuf>,
    pub(super) newest: u32,
}

/// Takes the lock of a folder, made when missing.
///
/// # Errors
/// When another has it, or the system refuses.
pub(crate) fn lock(root: &Path) -> Result<File, OpenError> {
    for folder in [root.to_owned(), root.join(LOG), root.join(FILES)] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed("create", &folder))?;
    }
    // Their names too are on the disk before anything in them is acknowledged.
    let real = fs::canonicalize(root).map_err(failed("find", root))?;
    for folder in real.ancestors().take(2) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))?;
    }
    let path = root.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed("open", &path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Busy(root.to_owned())),
        Err(error) => Err(failed("lock", &path)(error.into())),
    }
}

/// Reads the log of a folder.
///
/// # Errors
/// When a part of it cannot be read.
pub(crate) fn load(root: &Path, now: i64) -> Result<Loaded, OpenError> {
    let mut loaded = Loaded { index: Index::default(), damage: Vec::new(), last: None, empty: Vec::new(), newest: 0 };
    for (number, path) in log::segments(&root.join(LOG))? {
        let scanned = log::scan(number, path)?;
        loaded.newest = number;
        take_in(&mut loaded, scanned, now)?;
    }
    if let Some(last) = loaded.last.as_ref().filter(|last| last.torn) {
        loaded.damage.push(Damage::TornTail { file: file_name(last), offset: last.end });
    }
    Ok(loaded)
}

fn file_name(scanned: &Scanned) -> String {
    scanned.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn take_in(loaded: &mut Loaded, mut scanned: Scanned, now: i64) -> Result<(), OpenError> {
    let file = file_name(&scanned);
    if scanned.payloads.is_empty() && !(scanned.torn && scanned.head.is_none()) {
        // Made in advance; a first write that was cut short leaves nothing either.
        loaded.empty.push(scanned.path);
        return Ok(());
    }
    // Later segments were begun when this one was full and synced: what cannot be read in it had been acknowledged.
    if let Some(before) = loaded.last.as_ref().filter(|last| last.torn) {
        loaded.damage.push(Damage::Corrupt { file: file_name(before), offset: before.end });
        loaded.index.segments.entry(before.number).and_modify(|segment| segment.damaged = true);
    }
    if scanned.head.is_none() {
        loaded.damage.push(Damage::Corrupt { file, offset: 0 });
        return Ok(());
    }
    loaded.damage.extend(scanned.holes.iter().map(|&offset| Damage::Corrupt { file: file.clone(), offset }));
    let handle = File::open(&scanned.path).map_err(failed("open", &scanned.path))?;
    let segment = Segment { file: Arc::new(handle), live: 0, damaged: !scanned.holes.is_empty() };
    loaded.index.segments.insert(scanned.number, segment);
    for (offset, payload) in scanned.payloads.drain(..) {
        for (base, placed) in log::records(offset, &payload) {
            let offset = |at: usize| base.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let length = u32::try_from(placed.length).unwrap_or(u32::MAX);
            let at = At { segment: scanned.number, offset: offset(placed.at), length };
            loaded.index.apply(&placed.record, at, offset(placed.content_at), now);
        }
    }
    loaded.last = Some(scanned);
    Ok(())
}

/// Numbers of all files of contents.
///
/// # Errors
/// When the folder cannot be listed.
pub(crate) fn files(root: &Path) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let folder = root.join(FILES);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed("list", &folder))? {
        let path = entry.map_err(failed("list", &folder))?.path();
        let number = path.file_name().and_then(|name| u64::from_str_radix(name.to_str()?, 16).ok());
        found.extend(number.map(|number| (number, path)));
    }
    Ok(found)
}

/// The number of the file that content is in.
pub(crate) fn file_of(place: Place) -> Option<u64> {
    match place {
        Place::File(number) => Some(number),
        Place::Log(_) => None,
    }
}
