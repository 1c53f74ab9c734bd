//! The journal in files: numbered segments made in advance, snapshots by rename.
//!
//! A batch is one frame and is synced before the next is written. So a frame that cannot be read with nothing readable
//! behind it is a write that was cut short and never acknowledged; with something readable behind it, acknowledged bytes
//! have changed. A file with damage is never appended to.

use super::disk::{Disk, DiskFile, Folder};
use super::frame::{self, Head, Reader, Unreadable};
use super::{AppendError, Checkpoint, Damage, Journal, JournalError, Record, Replayed, Report, Seal};
use crate::state::Tree;
use crate::store::Options;
use crate::types::Revision;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SNAPSHOT: &str = "snapshot-";
const SEGMENT: &str = "journal-";
const HALF_MADE: &str = "snapshot.new";
/// A snapshot's frames hold about so much.
const SNAPSHOT_FRAME: usize = 1 << 20;

/// The journal of a folder.
pub struct FileJournal {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    snapshot_bytes: u64,
    seal: Option<Arc<dyn Seal>>,
    current: Option<Segment>,
    /// Number of the newest segment.
    sequence: u64,
    /// Highest revision that is in the files.
    revision: Revision,
    /// Written since the last snapshot was begun.
    written: u64,
    /// Size of the last snapshot.
    live: Arc<AtomicU64>,
    /// Files with damage, put aside by the next checkpoint.
    damaged: Vec<String>,
    /// Set once the disk has failed.
    failed: Option<String>,
}

/// A segment as it was found.
struct Loaded {
    name: String,
    bytes: Vec<u8>,
    head: Option<(Head, usize)>,
}

struct Segment {
    file: Box<dyn DiskFile>,
    salt: u32,
    at: u64,
    size: u64,
}

impl FileJournal {
    /// The journal of a folder, made when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(folder: &Path, options: &Options) -> Result<Self, JournalError> {
        let disk = Folder::new(folder).map_err(|error| JournalError::io("create", &folder.display().to_string(), error))?;
        Ok(Self::on(Arc::new(disk), options))
    }

    /// The journal on any disk.
    pub fn on(disk: Arc<dyn Disk>, options: &Options) -> Self {
        Self {
            disk,
            segment_bytes: options.segment_bytes,
            snapshot_bytes: options.snapshot_bytes,
            seal: options.seal.clone(),
            current: None,
            sequence: 0,
            revision: 0,
            written: 0,
            live: Arc::new(AtomicU64::new(0)),
            damaged: Vec::new(),
            failed: None,
        }
    }

    fn opened(&self, record: (Record, bool)) -> Result<Record, JournalError> {
        let (mut record, sealed) = record;
        if sealed {
            let plain = self.seal.as_ref().zip(record.value.as_ref()).and_then(|(seal, value)| seal.open(&record.key, value));
            record.value = Some(plain.ok_or_else(|| JournalError::Sealed { key: record.key.to_string() })?.into());
        }
        Ok(record)
    }

    fn replay_snapshot(&self, name: &str, tell: &mut dyn FnMut(Replayed)) -> Result<(Revision, usize), JournalError> {
        let file = self.disk.read(name).map_err(|error| JournalError::io("read", name, error))?;
        let damaged = |offset: usize, what| JournalError::Snapshot { file: name.to_owned(), offset: offset as u64, what };
        let (head, mut at) = Head::decode(&file).filter(|(head, _)| head.kind == b'S').ok_or_else(|| damaged(0, "no head"))?;
        let mut entries = 0;
        loop {
            let (payload, next) = frame::read(&file, head.salt, at).map_err(|_| damaged(at, "a part cannot be read"))?;
            if next == file.len() {
                let told = Reader(payload).u64();
                return if told == Some(entries as u64) { Ok((head.revision, entries)) } else { Err(damaged(at, "parts are missing")) };
            }
            for record in frame::decode_records(payload).ok_or_else(|| damaged(at, "a part is no list of records"))? {
                tell(Replayed::Entry(self.opened(record)?));
                entries += 1;
            }
            at = next;
        }
    }

    /// Replays one segment; false when what follows cannot be used.
    fn replay_segment(
        &mut self,
        loaded: &Loaded,
        last: bool,
        report: &mut Report,
        tell: &mut dyn FnMut(Replayed),
    ) -> Result<bool, JournalError> {
        let Some((head, mut at)) = loaded.head else {
            // A file whose head was never synced holds nothing; one with frames of a lost head is damaged.
            return Ok(loaded.bytes.iter().all(|&byte| byte == 0) || self.damage(loaded, (0, 0), last, report));
        };
        loop {
            let (payload, next) = match frame::read(&loaded.bytes, head.salt, at) {
                Ok(found) => found,
                Err(Unreadable::End) => break,
                Err(Unreadable::Bad) => return Ok(self.damage(loaded, (head.salt, at), last, report)),
            };
            let Some(records) = frame::decode_records(payload) else {
                return Ok(self.damage(loaded, (head.salt, at), last, report));
            };
            // Changes are numbered without gaps: a gap is a batch that is missing.
            if records.first().is_some_and(|(first, _)| first.revision > self.revision + 1) {
                return Ok(self.damage(loaded, (head.salt, at), false, report));
            }
            for record in records {
                self.revision = self.revision.max(record.0.revision);
                tell(Replayed::Change(self.opened(record)?));
                report.changes += 1;
            }
            at = next;
        }
        self.written += at as u64;
        if last {
            let file = self.disk.open(&loaded.name).map_err(|error| JournalError::io("open", &loaded.name, error))?;
            self.current = Some(Segment { file, salt: head.salt, at: at as u64, size: loaded.bytes.len() as u64 });
        }
        Ok(true)
    }

    fn damage(&mut self, loaded: &Loaded, (salt, at): (u32, usize), last: bool, report: &mut Report) -> bool {
        let rest = loaded.bytes.get(at..).unwrap_or_default();
        let bytes_dropped = rest.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1);
        let batches_lost = frame::later_frames(&loaded.bytes, salt, at);
        // Without its head a file's batches cannot be checked; one that got past its head had been in use.
        let used = at == 0 && bytes_dropped > Head::LENGTH as u64;
        let (file, offset) = (loaded.name.clone(), at as u64);
        report.damage.push(if last && batches_lost == 0 && !used {
            Damage::TornTail { file, offset, bytes_dropped }
        } else {
            Damage::Corrupt { file, offset, bytes_dropped, batches_lost }
        });
        self.damaged.push(loaded.name.clone());
        false
    }

    /// Reads the segments that a snapshot of this revision does not replace.
    fn load(&mut self, names: &[String]) -> Result<Vec<Loaded>, JournalError> {
        let mut loaded = Vec::with_capacity(names.len());
        for name in names {
            let bytes = self.disk.read(name).map_err(|error| JournalError::io("read", name, error))?;
            let head = Head::decode(&bytes).filter(|(head, _)| head.kind == b'J');
            self.sequence = self.sequence.max(number(name, SEGMENT).unwrap_or(0));
            loaded.push(Loaded { name: name.clone(), bytes, head });
        }
        let replaced = |next: &Loaded| next.head.is_some_and(|(head, _)| head.revision <= self.revision + 1);
        let from = loaded.iter().rposition(replaced).unwrap_or(0);
        Ok(loaded.split_off(from))
    }

    fn begin_segment(&mut self, at_least: u64) -> Result<(), JournalError> {
        let head = Head { kind: b'J', revision: self.revision + 1, salt: salt() };
        let name = format!("{SEGMENT}{:020}", self.sequence + 1);
        let begin = head.encode();
        let size = self.segment_bytes.max(at_least + begin.len() as u64);
        let error = |error| JournalError::io("begin", &name, error);
        let mut file = self.disk.create(&name, size).map_err(error)?;
        let written = file.write_at(0, &begin).and_then(|()| file.sync()).and_then(|()| self.disk.sync_folder());
        written.map_err(error)?;
        self.sequence += 1;
        self.current = Some(Segment { file, salt: head.salt, at: begin.len() as u64, size });
        Ok(())
    }

    // A disk without room only refuses; one that fails to write or sync is not trusted again.
    fn no_segment(&mut self, error: &JournalError) -> AppendError {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let reason = error.to_string();
        if matches!(error, JournalError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge)) {
            return AppendError::Full(reason);
        }
        self.failed = Some(reason.clone());
        AppendError::Failed(reason)
    }
}

impl Journal for FileJournal {
    fn replay(&mut self, tell: &mut dyn FnMut(Replayed)) -> Result<Report, JournalError> {
        let mut names = self.disk.list().map_err(|error| JournalError::io("list", ".", error))?;
        names.sort();
        let numbered = |prefix: &str| names.iter().filter(|name| number(name, prefix).is_some()).cloned().collect::<Vec<_>>();
        let mut report = Report::default();
        if let Some(snapshot) = numbered(SNAPSHOT).last() {
            let (revision, entries) = self.replay_snapshot(snapshot, tell)?;
            tell(Replayed::Restored(revision));
            (self.revision, report.entries) = (revision, entries);
        }
        let segments = self.load(&numbered(SEGMENT))?;
        for (at, loaded) in segments.iter().enumerate() {
            if !self.replay_segment(loaded, at + 1 == segments.len(), &mut report, tell)? {
                self.damaged.extend(segments.iter().skip(at + 1).map(|loaded| loaded.name.clone()));
                break;
            }
        }
        Ok(report)
    }

    fn append(&mut self, records: &[Record]) -> Result<(), AppendError> {
        if let Some(reason) = &self.failed {
            return Err(AppendError::Failed(reason.clone()));
        }
        let payload = encode(self.seal.as_deref(), records.iter());
        let room = payload.len() as u64 + 64;
        if self.current.as_ref().is_none_or(|segment| segment.at + room > segment.size) {
            // Nothing of the batch is written yet, so a full disk only refuses it.
            self.begin_segment(room).map_err(|error| self.no_segment(&error))?;
        }
        let Some(segment) = self.current.as_mut() else { return Err(AppendError::Full("no journal file".to_owned())) };
        let bytes = frame::frame(segment.salt, segment.at, &payload);
        if let Err(error) = segment.file.write_at(segment.at, &bytes).and_then(|()| segment.file.sync()) {
            let reason = format!("cannot write the journal: {error}");
            self.failed = Some(reason.clone());
            return Err(AppendError::Failed(reason));
        }
        segment.at += bytes.len() as u64;
        self.written += bytes.len() as u64;
        self.revision = records.last().map_or(self.revision, |record| record.revision);
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        self.written >= self.snapshot_bytes.max(self.live.load(Ordering::Relaxed) * 2)
    }

    fn checkpoint(&mut self, tree: &Tree, revision: Revision) -> Result<Option<Checkpoint>, JournalError> {
        self.revision = self.revision.max(revision);
        self.begin_segment(0)?;
        self.written = 0;
        let work = Snapshot {
            disk: self.disk.clone(),
            seal: self.seal.clone(),
            tree: tree.clone(),
            revision,
            cut: self.sequence,
            live: self.live.clone(),
            damaged: std::mem::take(&mut self.damaged),
        };
        Ok(Some(Box::new(move || work.write())))
    }
}

struct Snapshot {
    disk: Arc<dyn Disk>,
    seal: Option<Arc<dyn Seal>>,
    tree: Tree,
    revision: Revision,
    /// Segments before this one are replaced.
    cut: u64,
    live: Arc<AtomicU64>,
    damaged: Vec<String>,
}

impl Snapshot {
    fn write(self) -> Result<(), JournalError> {
        let name = format!("{SNAPSHOT}{:020}", self.revision);
        let error = |error| JournalError::io("write", &name, error);
        let head = Head { kind: b'S', revision: self.revision, salt: salt() };
        let mut file = self.disk.create(HALF_MADE, 0).map_err(error)?;
        let mut at = 0;
        let mut put = |bytes: &[u8]| -> Result<(), JournalError> {
            file.write_at(at, bytes).map_err(error)?;
            at += bytes.len() as u64;
            Ok(())
        };
        let mut offset = 0;
        let begin = head.encode();
        put(&begin)?;
        offset += begin.len() as u64;
        let mut part: Vec<Record> = Vec::new();
        let mut part_bytes = 0;
        let mut flush = |part: &mut Vec<Record>, offset: &mut u64| -> Result<(), JournalError> {
            let bytes = frame::frame(head.salt, *offset, &encode(self.seal.as_deref(), part.iter()));
            part.clear();
            *offset += bytes.len() as u64;
            put(&bytes)
        };
        for entry in self.tree.values() {
            part_bytes += entry.value.len() + entry.key.len();
            part.push(Record { key: entry.key.clone(), revision: entry.revision, value: Some(entry.value.clone()) });
            if part_bytes >= SNAPSHOT_FRAME {
                flush(&mut part, &mut offset)?;
                part_bytes = 0;
            }
        }
        if !part.is_empty() {
            flush(&mut part, &mut offset)?;
        }
        let end = frame::frame(head.salt, offset, &(self.tree.len() as u64).to_le_bytes());
        put(&end)?;
        file.sync().map_err(error)?;
        self.disk.rename(HALF_MADE, &name).map_err(error)?;
        self.disk.sync_folder().map_err(error)?;
        self.live.store(offset, Ordering::Relaxed);
        self.clean(&name)
    }

    /// Removes what the snapshot replaces, and puts damaged files aside.
    fn clean(&self, keep: &str) -> Result<(), JournalError> {
        for name in &self.damaged {
            let aside = format!("{name}.damaged");
            self.disk.rename(name, &aside).map_err(|error| JournalError::io("rename", name, error))?;
        }
        let names = self.disk.list().map_err(|error| JournalError::io("list", ".", error))?;
        let old = |name: &&String| {
            let segment = number(name, SEGMENT).is_some_and(|number| number < self.cut);
            *name != keep && (segment || number(name, SNAPSHOT).is_some_and(|number| number < self.revision))
        };
        for name in names.iter().filter(old) {
            self.disk.remove(name).map_err(|error| JournalError::io("remove", name, error))?;
        }
        self.disk.sync_folder().map_err(|error| JournalError::io("sync", ".", error))
    }
}

fn encode<'a>(seal: Option<&dyn Seal>, records: impl Iterator<Item = &'a Record>) -> Vec<u8> {
    let mut payload = Vec::new();
    for record in records {
        let seal = seal.filter(|seal| seal.seals(&record.key));
        let sealed = seal.zip(record.value.as_ref()).map(|(seal, value)| seal.seal(&record.key, value));
        frame::encode_record(&mut payload, record, sealed.as_deref());
    }
    payload
}

/// The number in a file's name.
fn number(name: &str, prefix: &str) -> Option<Revision> {
    let digits = name.strip_prefix(prefix)?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

fn salt() -> u32 {
    u32::from_le_bytes(base::ids::random())
}
