//! The log on the disk: numbered segments made in advance, appended to by batches.
//!
//! A batch is one frame and is synced before the next is written. So a frame that cannot be read with nothing readable
//! behind it is a write that was cut short and never acknowledged; with something readable behind it, acknowledged bytes
//! have changed, and that is told.

use crate::record::{Placed, Records};
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use store::journal::frame::{self, Head, Unreadable};

/// Letter of the head of a segment.
const KIND: u8 = b'R';
const PREFIX: &str = "log-";
const ALIGN: u64 = 8;
const FRAME_HEAD: u64 = 16;

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {source}", path.display())]
pub struct LogError {
    /// What was tried.
    pub verb: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn failed<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> LogError + 'a {
    move |source| LogError { verb, path: path.to_owned(), source }
}

/// A stretch of the log that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The last write was cut short, as a crash or a power cut does; it had not been acknowledged.
    #[error("the last write to `{file}` was cut short at byte {offset}; none of it was acknowledged")]
    TornTail {
        /// Which file.
        file: String,
        /// Where the readable part ends.
        offset: u64,
    },
    /// Bytes that had been acknowledged have changed.
    #[error("`{file}` is damaged at byte {offset}: what stood there is lost")]
    Corrupt {
        /// Which file.
        file: String,
        /// Where.
        offset: u64,
    },
}

impl Damage {
    /// Whether something is lost that had been acknowledged.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}

/// A segment as it was read.
pub(crate) struct Scanned {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) head: Option<Head>,
    /// Payloads, and where they begin.
    pub(crate) payloads: Vec<(u64, Bytes)>,
    /// Where the last readable frame ends.
    pub(crate) end: u64,
    /// Where something stands that is no frame, with a readable frame behind it.
    pub(crate) holes: Vec<u64>,
    /// Something stands behind the last readable frame.
    pub(crate) torn: bool,
}

/// The records of a payload that begins at `offset`.
pub(crate) fn records(offset: u64, payload: &Bytes) -> impl Iterator<Item = (u32, Placed)> {
    // A segment is shorter than 4 GiB; a payload that is no list of records passed its checksum and is ours to mend.
    let base = u32::try_from(offset).unwrap_or(u32::MAX);
    Records::new(payload.clone()).map_while(Result::ok).map(move |placed| (base, placed))
}

/// All segments' numbers and paths, the oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn segments(folder: &Path) -> Result<Vec<(u32, PathBuf)>, LogError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        let number = path.file_name().and_then(|name| u32::from_str_radix(name.to_str()?.strip_prefix(PREFIX)?, 16).ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads a segment.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn scan(number: u32, path: PathBuf) -> Result<Scanned, LogError> {
    let bytes = Bytes::from(fs::read(&path).map_err(failed("read", &path))?);
    let mut scanned = Scanned { number, path, head: None, payloads: Vec::new(), end: 0, holes: Vec::new(), torn: false };
    let Some((head, first)) = Head::decode(&bytes).filter(|(head, _)| head.kind == KIND && head.revision == u64::from(number)) else {
        scanned.torn = bytes.iter().any(|&byte| byte != 0);
        return Ok(scanned);
    };
    scanned.head = Some(head);
    scanned.end = first as u64;
    let (mut at, mut bad) = (first, None);
    loop {
        match frame::read(&bytes, head.salt, at) {
            Ok((payload, next)) => {
                scanned.holes.extend(bad.take());
                let begin = at + usize::try_from(FRAME_HEAD).unwrap_or(0);
                scanned.payloads.push((begin as u64, bytes.slice(begin..begin + payload.len())));
                at = next;
                scanned.end = at as u64;
            }
            Err(Unreadable::End) => break,
            Err(Unreadable::Bad) => {
                bad.get_or_insert(at as u64);
                at = next_nonzero(&bytes, at + 8);
            }
        }
    }
    scanned.torn = bad.is_some();
    Ok(scanned)
}

/// The next place where a frame may stand: zeros are skipped, so that a long run of them costs one look.
fn next_nonzero(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.chunks(8).position(|chunk| chunk.iter().any(|&byte| byte != 0)).map_or(bytes.len(), |chunks| from + chunks * 8)
}

/// Why a batch could not be appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AppendError {
    /// No room; nothing was written.
    #[error("{0}")]
    Full(String),
    /// The disk failed; what it holds is not known.
    #[error("{0}")]
    Failed(String),
}

struct Current {
    number: u32,
    file: File,
    salt: u32,
    at: u64,
}

/// Appends.
pub(crate) struct Log {
    folder: PathBuf,
    capacity: u64,
    current: Option<Current>,
    newest: u32,
    next: Option<JoinHandle<Result<Current, LogError>>>,
}

/// Where a batch was put.
pub(crate) struct Appended {
    pub(crate) segment: u32,
    /// Where its payload begins.
    pub(crate) offset: u64,
    /// The segment, when it is a new one.
    pub(crate) file: Option<File>,
}

impl Log {
    /// A log that goes on behind what was scanned last.
    ///
    /// # Errors
    /// When the last segment cannot be opened or cut where its readable part ends.
    pub(crate) fn new(folder: &Path, capacity: u64, newest: u32, last: Option<&Scanned>) -> Result<Self, LogError> {
        let mut log = Self { folder: folder.to_owned(), capacity, current: None, newest, next: None };
        let Some((last, head)) = last.and_then(|last| Some((last, last.head?))) else { return Ok(log) };
        let file = OpenOptions::new().read(true).write(true).open(&last.path).map_err(failed("open", &last.path))?;
        let damaged = last.torn || !last.holes.is_empty();
        let length = file.metadata().map_err(failed("read", &last.path))?.len();
        if last.holes.is_empty() && (last.torn || length < capacity) {
            // It is never appended to again: what was cut short may not stand behind what is written now.
            file.set_len(last.end).and_then(|()| file.sync_all()).map_err(failed("cut", &last.path))?;
        } else if !damaged {
            log.current = Some(Current { number: last.number, file, salt: head.salt, at: last.end });
        }
        Ok(log)
    }

    /// The number of the segment that is written to.
    pub(crate) fn current(&self) -> Option<u32> {
        self.current.as_ref().map(|current| current.number)
    }

    /// Writes a batch and makes it durable.
    ///
    /// # Errors
    /// When there is no room, or the disk failed.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Appended, AppendError> {
        let needed = FRAME_HEAD + payload.len() as u64 + ALIGN;
        let mut new = None;
        if self.current.as_ref().is_none_or(|current| current.at + needed > self.capacity) {
            let next = self.begin(needed).map_err(|error| AppendError::Full(error.to_string()))?;
            new = Some(next.file.try_clone().map_err(|error| AppendError::Full(error.to_string()))?);
            self.seal();
            self.current = Some(next);
        }
        let Some(current) = &mut self.current else { return Err(AppendError::Failed("no segment is open".to_owned())) };
        let frame = frame::frame(current.salt, current.at, payload);
        let written = current.file.write_all_at(&frame, current.at).and_then(|()| current.file.sync_data());
        written.map_err(|error| AppendError::Failed(format!("cannot write segment {:08x}: {error}", current.number)))?;
        let appended = Appended { segment: current.number, offset: current.at + FRAME_HEAD, file: new };
        current.at += frame.len() as u64;
        if current.at * 2 > self.capacity && self.next.is_none() {
            self.prepare();
        }
        Ok(appended)
    }

    /// The rest of a full segment is given back; should that fail it only takes room.
    fn seal(&mut self) {
        if let Some(full) = self.current.take() {
            let _ = full.file.set_len(full.at);
        }
    }

    fn prepare(&mut self) {
        let (folder, number, capacity) = (self.folder.clone(), self.newest + 1, self.capacity);
        let make = move || make(&folder, number, capacity);
        self.next = std::thread::Builder::new().name("registry-segment".into()).spawn(make).ok();
        if self.next.is_some() {
            self.newest += 1;
        }
    }

    fn begin(&mut self, needed: u64) -> Result<Current, LogError> {
        let prepared = self.next.take().and_then(|making| making.join().ok());
        let room = |current: &Current| current.at + needed <= self.capacity;
        match prepared {
            Some(Ok(current)) if room(&current) => return Ok(current),
            // A batch larger than a segment gets a segment of its own size.
            Some(Ok(current)) => drop(fs::remove_file(self.folder.join(name(current.number)))),
            // Tried again here and now: room may have been made since.
            Some(Err(_)) | None => {}
        }
        self.newest += 1;
        make(&self.folder, self.newest, self.capacity.max(needed + 64))
    }
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number:08x}")
}

/// A new segment with its head, filled with zeros, durable under its name.
fn make(folder: &Path, number: u32, capacity: u64) -> Result<Current, LogError> {
    static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
    let path = folder.join(name(number));
    let made = || -> io::Result<Current> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let head = Head { kind: KIND, revision: u64::from(number), salt: u32::from_le_bytes(base::ids::random()) };
        let encoded = head.encode();
        file.write_all_at(&encoded, 0)?;
        // Zeros are written, not promised by fallocate: an extent that was never written costs every fdatasync a change of
        // the file system's own journal.
        let mut at = encoded.len() as u64;
        while at < capacity {
            let part = usize::try_from(capacity - at).unwrap_or(usize::MAX).min(ZEROS.len());
            file.write_all_at(ZEROS.get(..part).unwrap_or_default(), at)?;
            at += part as u64;
        }
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Current { number, file, salt: head.salt, at: encoded.len() as u64 })
    };
    made().map_err(|source| {
        let _ = fs::remove_file(&path);
        LogError { verb: "make", path, source }
    })
}
