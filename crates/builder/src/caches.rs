//! Cache mounts: folders of the store that outlive builds, each used by as many steps at a time as its users ask for.
//!
//! ```text
//! mounts/HEX/meta.json   what it is
//! mounts/HEX/N           its content; more than one where steps want it for themselves at the same time
//! mounts/HEX/N.lock      held by whoever uses it; its time is that of its last use
//! mounts/HEX/N.size      its bytes, while nobody has used it since
//! ```
//! They are removed by [`blobs::Store::prune`] with `cache`, which waits for builds, and by [`trim_cache_mounts`] when all of them hold too
//! much.

use crate::error::Trouble;
use base::files::{FileError, make_folder};
use blobs::Store;
use dockerfile::Sharing;
use oci::{Digest, Hasher};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// More steps at the same time wait even for a cache that each wants for itself.
const MAX_SLOTS: usize = 64;
/// How often a lock is asked for again.
const PAUSE: Duration = Duration::from_millis(10);

/// What makes two cache mounts the same: equal ones share their content (as BuildKit tells them apart).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `BUILDKIT_CACHE_MOUNT_NS`.
    pub namespace: String,
    /// `id`, or the target.
    pub id: String,
    /// What it begins with: layers and a path in them.
    pub from: Option<(Digest, String)>,
    /// `mode`, `uid` and `gid` of its folder.
    pub folder: (u32, u32, u32),
}

/// A cache mount in use.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Its content.
    pub data: PathBuf,
    lock: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without the time of its end only the order in which caches go is another one.
        let _ = self.lock.set_modified(SystemTime::now());
    }
}

/// A cache mount of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheMount {
    /// Its `id`, or its target.
    pub id: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Whether a build uses it now.
    pub in_use: bool,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    namespace: String,
    id: String,
}

impl Meta {
    fn shown(&self) -> String {
        if self.namespace.is_empty() { self.id.clone() } else { format!("{}/{}", self.namespace, self.id) }
    }
}

impl Identity {
    /// The name of its folder; the order in which a step takes its caches.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        for part in [&self.namespace, &self.id] {
            hasher.part(part.as_bytes());
        }
        if let Some((layers, path)) = &self.from {
            hasher.part(layers.bytes());
            hasher.part(path.as_bytes());
        }
        let (mode, uid, gid) = self.folder;
        [mode, uid, gid].iter().for_each(|number| hasher.part(&number.to_le_bytes()));
        hasher.finish()
    }

    /// Takes the cache, waiting for others as `sharing` says; `fill` makes a new one's folder. Nothing when `stop` says so meanwhile.
    pub(crate) fn take(
        &self,
        store: &Store,
        sharing: Sharing,
        stop: &dyn Fn() -> bool,
        fill: &dyn Fn(&Path) -> Result<(), Trouble>,
    ) -> Result<Option<Lease>, Trouble> {
        let folder = store.root().join("mounts").join(self.digest().hex());
        make_folder(&folder, 0o700)?;
        self.describe(&folder)?;
        let slots = if sharing == Sharing::Private { MAX_SLOTS } else { 1 };
        while !stop() {
            for slot in 0..slots {
                if let Some(lease) = take_slot(&folder, slot, sharing, fill)? {
                    return Ok(Some(lease));
                }
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }

    fn describe(&self, folder: &Path) -> Result<(), Trouble> {
        let path = folder.join("meta.json");
        if path.exists() {
            return Ok(());
        }
        let meta = Meta { namespace: self.namespace.clone(), id: self.id.clone() };
        let bytes = serde_json::to_vec(&meta).map_err(|error| Trouble::new(format!("a cache mount's record: {error}")))?;
        Ok(base::files::write_atomically(&path, &bytes, 0o600)?)
    }
}

fn take_slot(folder: &Path, slot: usize, sharing: Sharing, fill: &dyn Fn(&Path) -> Result<(), Trouble>) -> Result<Option<Lease>, Trouble> {
    let path = folder.join(format!("{slot}.lock"));
    let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(|error| FileError::new("open", &path, error))?;
    let data = folder.join(slot.to_string());
    let alone = sharing != Sharing::Shared;
    if (alone || !data.exists()) && !try_lock(&lock, &path, FlockOperation::NonBlockingLockExclusive)? {
        return Ok(None);
    }
    if !data.exists() {
        // Made beside, so that what a killed process left half made is not taken for the whole.
        let beside = folder.join(format!("{slot}.new"));
        match fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(FileError::new("remove", beside, error).into()),
            _ => fill(&beside)?,
        }
        fs::rename(&beside, &data).map_err(|error| FileError::new("move", &data, error))?;
    }
    if !alone && !try_lock(&lock, &path, FlockOperation::NonBlockingLockShared)? {
        return Ok(None);
    }
    // Whoever trimmed held the lock until then.
    if !data.exists() {
        return Ok(None);
    }
    match fs::remove_file(folder.join(format!("{slot}.size"))) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::new("remove", folder.join(format!("{slot}.size")), error).into())
        }
        _ => Ok(Some(Lease { data, lock })),
    }
}

fn try_lock(file: &File, path: &Path, operation: FlockOperation) -> Result<bool, Trouble> {
    loop {
        return match flock(file, operation) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => Err(FileError::new("lock", path, error.into()).into()),
        };
    }
}

/// The cache mounts of a store, by their ids.
///
/// # Errors
/// When the store cannot be read.
pub fn cache_mounts(store: &Store) -> Result<Vec<CacheMount>, FileError> {
    let folder = store.root().join("mounts");
    let mut mounts = Vec::new();
    for path in entries(&folder)? {
        let meta = base::files::read_if_exists(&path.join("meta.json"))?.and_then(|bytes| serde_json::from_slice::<Meta>(&bytes).ok());
        let Some(meta) = meta else { continue };
        let (mut bytes, mut in_use) = (0, false);
        let mut any = false;
        for path in entries(&path)? {
            match path.extension() {
                None => {
                    any = true;
                    bytes += size(&path);
                }
                Some(extension) if extension == "lock" => {
                    let file = File::open(&path).map_err(|error| FileError::new("open", &path, error))?;
                    in_use |= flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK);
                }
                Some(_) => {}
            }
        }
        // One that was trimmed has left its name.
        if any {
            mounts.push(CacheMount { id: meta.shown(), bytes, in_use });
        }
    }
    mounts.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(mounts)
}

/// A content that nobody uses: its lock is held.
struct Idle {
    id: String,
    data: PathBuf,
    bytes: u64,
    used: SystemTime,
    _lock: File,
}

/// Removes cache mounts until all together hold at most `limit_bytes`: first what was not used for the longest time, never what is in
/// use. What was removed, each with its bytes.
///
/// # Errors
/// When the store cannot be read or written.
pub fn trim_cache_mounts(store: &Store, limit_bytes: u64) -> Result<Vec<CacheMount>, FileError> {
    let (mut idle, mut total) = (Vec::new(), 0u64);
    for folder in entries(&store.root().join("mounts"))? {
        let meta = base::files::read_if_exists(&folder.join("meta.json"))?.and_then(|bytes| serde_json::from_slice::<Meta>(&bytes).ok());
        let Some(meta) = meta else { continue };
        for data in entries(&folder)?.into_iter().filter(|path| path.extension().is_none()) {
            match idle_one(meta.shown(), data.clone())? {
                Some(one) => {
                    total = total.saturating_add(one.bytes);
                    idle.push(one);
                }
                None => total = total.saturating_add(size(&data)),
            }
        }
    }
    idle.sort_by_key(|one| one.used);
    let mut removed = Vec::new();
    for one in idle {
        if total <= limit_bytes {
            break;
        }
        remove(store, &one)?;
        total = total.saturating_sub(one.bytes);
        removed.push(CacheMount { id: one.id, bytes: one.bytes, in_use: false });
    }
    Ok(removed)
}

/// A content, unless somebody uses it. Its size is counted once after each use.
fn idle_one(id: String, data: PathBuf) -> Result<Option<Idle>, FileError> {
    let (lock, known) = (data.with_extension("lock"), data.with_extension("size"));
    let file = match File::open(&lock) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| FileError::new("open", &lock, error))?,
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let used = file.metadata().and_then(|meta| meta.modified()).map_err(|error| FileError::new("read", &lock, error))?;
    let read = base::files::read_if_exists(&known)?.and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<u64>().ok());
    let bytes = match read {
        Some(bytes) => bytes,
        None => {
            let bytes = size(&data);
            fs::write(&known, bytes.to_string()).map_err(|error| FileError::new("write", &known, error))?;
            bytes
        }
    };
    Ok(Some(Idle { id, data, bytes, used, _lock: file }))
}

/// Moved away first: a half removed cache is nobody's.
fn remove(store: &Store, one: &Idle) -> Result<(), FileError> {
    let gone = store.root().join("tmp").join(base::ids::suffix(12));
    fs::rename(&one.data, &gone).map_err(|error| FileError::new("remove", &one.data, error))?;
    match fs::remove_file(one.data.with_extension("size")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(FileError::new("remove", &one.data, error)),
        _ => {}
    }
    fs::remove_dir_all(&gone).map_err(|error| FileError::new("remove", gone, error))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::new("list", folder, error)),
        Ok(entries) => Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect()),
    }
}

/// Bytes of the files below; what goes away meanwhile is not counted.
fn size(path: &Path) -> u64 {
    let mut bytes = 0;
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() {
            open.extend(entries(&path).unwrap_or_default());
        } else {
            bytes += meta.len();
        }
    }
    bytes
}
