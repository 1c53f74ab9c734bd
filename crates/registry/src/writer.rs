//! The one thread that writes: checks, writes a batch and syncs it, makes it seen, answers; and compacts the log meanwhile.

use crate::collect::{self, Collected, Removal, Rules};
use crate::digest::Digest;
use crate::index::{At, Index, Segment};
use crate::log::{self, AppendError, Log};
use crate::record::{Facts, Kept, Record};
use crate::store::Shared;
use bytes::Bytes;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Where new content is until it is kept.
#[derive(Debug)]
pub(crate) enum Source {
    /// In memory, with its place there; goes into the log.
    Bytes(Bytes, Option<OwnedSemaphorePermit>),
    /// In a file of its own that is durable already.
    File(u64),
}

/// What is asked of the store.
#[derive(Debug)]
pub(crate) enum Change {
    /// A repository gets a blob.
    Blob { repository: Arc<str>, digest: Digest, size: u64, source: Source },
    /// A repository gets a blob whose content is here already.
    Mount { repository: Arc<str>, digest: Digest },
    /// A repository gets a manifest, and tags that name it.
    Manifest { repository: Arc<str>, digest: Digest, bytes: Bytes, facts: Arc<Facts>, tags: Vec<Arc<str>> },
    /// A tag goes.
    NoTag { repository: Arc<str>, tag: Arc<str> },
    /// A manifest goes, with the tags that name it.
    NoManifest { repository: Arc<str>, digest: Digest },
    /// A blob goes.
    NoBlob { repository: Arc<str>, digest: Digest },
    /// What the rules say goes.
    Collect { repository: Arc<str>, rules: Rules },
}

impl Change {
    /// Whether others of the same batch could come to depend on what it removes.
    fn removes(&self) -> bool {
        matches!(self, Self::NoTag { .. } | Self::NoManifest { .. } | Self::NoBlob { .. } | Self::Collect { .. })
    }

    fn weight(&self) -> usize {
        match self {
            Self::Blob { source: Source::Bytes(bytes, _), .. } | Self::Manifest { bytes, .. } => bytes.len() + 256,
            _ => 256,
        }
    }
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A manifest names blobs or manifests that the repository has not.
    Missing(Vec<Digest>),
    /// What was to be removed or mounted is not there.
    Unknown,
    /// There is no such repository.
    NoRepository,
    /// A manifest names the blob.
    Needed(Digest),
    /// The disk is full.
    Full(String),
    /// The disk failed; nothing can be written any more.
    Stopped(String),
}

/// A change and who waits for it.
pub(crate) struct Job {
    pub(crate) change: Change,
    pub(crate) done: oneshot::Sender<Result<Collected, Refusal>>,
}

/// A batch is written once it weighs so much, whoever else waits.
const BATCH_BYTES: usize = 4 << 20;

/// The state of the thread.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    pub(crate) capacity: u64,
    pub(crate) stopped: Option<String>,
    pub(crate) compaction: Option<Compaction>,
}

/// A segment whose records are written anew.
pub(crate) struct Compaction {
    number: u32,
    path: PathBuf,
    payloads: std::vec::IntoIter<(u64, Bytes)>,
    /// There are older segments, which may hold what the records of removals here speak of.
    carries: bool,
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    /// Contents that the batch brings.
    fresh: HashSet<Digest>,
    /// Files whose content was here already.
    needless: Vec<u64>,
    answers: Vec<(oneshot::Sender<Result<Collected, Refusal>>, Collected)>,
}

impl Writer {
    /// Writes until nobody can ask any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        self.look_for_garbage();
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(job) => Some(job),
                None if self.compaction.is_some() => match jobs.try_recv() {
                    Ok(job) => Some(job),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                },
                None => match jobs.recv() {
                    Ok(job) => Some(job),
                    Err(_) => return,
                },
            };
            if let Some(first) = first {
                held = self.work(first, jobs);
            }
            self.compact();
        }
    }

    /// Does a job, with as many others as are waiting and can be done together; gives back one that cannot.
    fn work(&mut self, first: Job, jobs: &Receiver<Job>) -> Option<Job> {
        let alone = first.change.removes();
        let (mut batch, mut weight) = (vec![first], 0);
        let mut held = None;
        while !alone && weight < BATCH_BYTES {
            match jobs.try_recv() {
                Ok(job) if job.change.removes() => {
                    held = Some(job);
                    break;
                }
                Ok(job) => {
                    weight += job.change.weight();
                    batch.push(job);
                }
                Err(_) => break,
            }
        }
        self.commit(batch);
        if alone {
            self.look_for_garbage();
        }
        held
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let mut batch = Batch::default();
        {
            let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
            for job in jobs {
                let planned = match &self.stopped {
                    Some(reason) => Err(Refusal::Stopped(reason.clone())),
                    None => plan(job.change, &index, &mut batch, self.shared.now()),
                };
                match planned {
                    Ok(collected) => batch.answers.push((job.done, collected)),
                    Err(refusal) => drop(job.done.send(Err(refusal))),
                }
            }
        }
        let written = if batch.records.is_empty() { Ok(()) } else { self.write(&batch.records) };
        for number in batch.needless {
            self.shared.remove_file(number);
        }
        for (done, collected) in batch.answers {
            let _ = done.send(written.clone().map(|()| collected));
        }
    }

    fn write(&mut self, records: &[Record]) -> Result<(), Refusal> {
        let mut payload = Vec::new();
        let places: Vec<(usize, usize)> = records
            .iter()
            .map(|record| {
                let at = payload.len();
                (at, record.encode(&mut payload).unwrap_or(at))
            })
            .collect();
        let appended = match self.log.append(&payload) {
            Ok(appended) => appended,
            Err(AppendError::Full(reason)) => return Err(Refusal::Full(reason)),
            Err(AppendError::Failed(reason)) => {
                self.stopped = Some(reason.clone());
                return Err(Refusal::Stopped(reason));
            }
        };
        let begun = appended.file.is_some();
        let now = self.shared.now();
        let mut superseded = Vec::new();
        {
            let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = appended.file {
                index.segments.insert(appended.segment, Segment { file: Arc::new(file), live: 0, damaged: false });
            }
            let ends = places.iter().skip(1).map(|(at, _)| *at).chain([payload.len()]);
            for ((record, (at, content)), end) in records.iter().zip(&places).zip(ends) {
                let at_in_file = |offset: usize| u32::try_from(appended.offset + offset as u64).unwrap_or(u32::MAX);
                let length = u32::try_from(end - at).unwrap_or(u32::MAX);
                let place = At { segment: appended.segment, offset: at_in_file(*at), length };
                superseded.extend(index.apply(record, place, at_in_file(*content), now));
            }
        }
        superseded.into_iter().for_each(|number| self.shared.remove_file(number));
        if begun {
            self.look_for_garbage();
        }
        Ok(())
    }

    /// Chooses the oldest full segment of which less than half still counts.
    fn look_for_garbage(&mut self) {
        if self.compaction.is_some() || self.stopped.is_some() {
            return;
        }
        let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let current = self.log.current();
        let mut full = index.segments.iter().filter(|(number, _)| Some(**number) != current);
        let Some((&number, _)) = full.find(|(_, segment)| !segment.damaged && segment.live * 2 < self.capacity) else { return };
        let carries = index.segments.keys().next().is_some_and(|oldest| *oldest < number);
        drop(index);
        let path = self.shared.segment_path(number);
        // One that cannot be read now is left alone until the next time.
        let Ok(scanned) = log::scan(number, path.clone()) else { return };
        if scanned.torn || !scanned.holes.is_empty() || scanned.head.is_none() {
            let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
            index.segments.entry(number).and_modify(|segment| segment.damaged = true);
            return;
        }
        self.compaction = Some(Compaction { number, path, payloads: scanned.payloads.into_iter(), carries });
    }

    /// Writes what still counts of one batch of an old segment anew; the segment goes once all is done.
    fn compact(&mut self) {
        let Some(mut compaction) = self.compaction.take() else { return };
        let Some((offset, payload)) = compaction.payloads.next() else {
            // All of it is durable elsewhere.
            let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
            index.segments.remove(&compaction.number);
            drop(index);
            // Gone for good before a younger one is dropped: that may hold the removals of what stood here.
            let removed = std::fs::remove_file(&compaction.path).and_then(|()| std::fs::File::open(&self.shared.folder)?.sync_all());
            if removed.is_ok() {
                self.look_for_garbage();
            }
            return;
        };
        let mut kept = Vec::new();
        {
            let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
            for (base, placed) in log::records(offset, &payload) {
                let offset = base.saturating_add(u32::try_from(placed.at).unwrap_or(u32::MAX));
                let at = At { segment: compaction.number, offset, length: u32::try_from(placed.length).unwrap_or(u32::MAX) };
                if index.is_current(&placed.record, at) || compaction.carries && index.is_gone(&placed.record) {
                    kept.push(placed.record);
                }
            }
        }
        if kept.is_empty() || self.write(&kept).is_ok() {
            self.compaction = Some(compaction);
        }
    }
}

/// The records of a change; nothing when all is as it should be already.
fn plan(change: Change, index: &Index, batch: &mut Batch, now: i64) -> Result<Collected, Refusal> {
    match change {
        Change::Blob { repository, digest, size, source } => {
            if index.kept(&digest).is_some() || !batch.fresh.insert(digest.clone()) {
                if let Source::File(number) = source {
                    batch.needless.push(number);
                }
            } else {
                let kept = match source {
                    Source::Bytes(bytes, place) => {
                        // From here on the length of the batch bounds it.
                        drop(place);
                        Kept::Here(bytes)
                    }
                    Source::File(number) => Kept::File(number),
                };
                batch.records.push(Record::Content { digest: digest.clone(), size, kept });
            }
            link(index, batch, repository, digest, now);
        }
        Change::Mount { repository, digest } => {
            index.kept(&digest).ok_or(Refusal::Unknown)?;
            link(index, batch, repository, digest, now);
        }
        Change::Manifest { repository, digest, bytes, facts, tags } => {
            let mut missing: Vec<_> = facts.blobs.iter().filter(|digest| !index.has_blob(&repository, digest, now)).cloned().collect();
            missing.extend(facts.manifests.iter().filter(|digest| !index.has_manifest(&repository, digest)).cloned());
            if !missing.is_empty() {
                return Err(Refusal::Missing(missing));
            }
            if index.kept(&digest).is_none() && batch.fresh.insert(digest.clone()) {
                let content = Record::Content { digest: digest.clone(), size: bytes.len() as u64, kept: Kept::Here(bytes) };
                batch.records.push(content);
            }
            let at = facts.at;
            batch.records.push(Record::Manifest { repository: repository.clone(), digest: digest.clone(), facts });
            let tags = tags.into_iter().map(|tag| Record::Tag { repository: repository.clone(), tag, digest: digest.clone(), at });
            batch.records.extend(tags);
        }
        removal => return remove(&removal, index, batch),
    }
    Ok(Collected::default())
}

fn link(index: &Index, batch: &mut Batch, repository: Arc<str>, digest: Digest, now: i64) {
    // Asked for even when it stands: it is then held for the manifest that is to come.
    if !index.has_blob(&repository, &digest, now) {
        batch.records.push(Record::Blob { repository, digest });
    }
}

fn remove(change: &Change, index: &Index, batch: &mut Batch) -> Result<Collected, Refusal> {
    let mut removal = Removal::new(index);
    let room = |name: &Arc<str>| index.repositories.get(name).ok_or(Refusal::NoRepository);
    match change {
        Change::NoTag { repository, tag } => {
            let (tag, _) = room(repository)?.tags.get_key_value(tag).ok_or(Refusal::Unknown)?;
            removal.tag(repository, tag);
        }
        Change::NoManifest { repository, digest } => {
            let room = room(repository)?;
            if !room.manifests.contains_key(digest) {
                return Err(Refusal::Unknown);
            }
            room.tags.iter().filter(|(_, tag)| tag.digest == *digest).for_each(|(tag, _)| removal.tag(repository, tag));
            removal.manifest(repository, digest);
        }
        Change::NoBlob { repository, digest } => {
            let room = room(repository)?;
            if !room.blobs.contains_key(digest) {
                return Err(Refusal::Unknown);
            }
            if let Some(by) = room.needs(digest) {
                return Err(Refusal::Needed(by.clone()));
            }
            removal.blob(repository, digest);
        }
        Change::Collect { repository, rules } => {
            let (records, collected) = collect::plan(index, repository, rules);
            batch.records.extend(records);
            return Ok(collected);
        }
        Change::Blob { .. } | Change::Mount { .. } | Change::Manifest { .. } => {}
    }
    let (records, collected) = removal.finish();
    batch.records.extend(records);
    Ok(collected)
}
