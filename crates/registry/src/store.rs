//! The store: a log with small contents and everything that is named, a file for each large content, all names in memory.

mod load;

use crate::collect::{Collected, Policy, Rules};
use crate::digest::Digest;
use crate::index::{Index, Place};
use crate::log::{Damage, Log, LogError};
use crate::record::Facts;
use crate::writer::{Change, Job, Refusal, Source, Writer};
use base::Clock;
use bytes::Bytes;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

pub(crate) use load::{file_of, files, load, lock};

/// A segment of the log is so large.
pub(crate) const SEGMENT_BYTES: u64 = 32 << 20;
const LOG: &str = "log";
const FILES: &str = "files";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another process has it open.
    #[error("another registry has {} open", .0.display())]
    Busy(PathBuf),
}

pub(crate) fn failed<'a>(verb: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OpenError + 'a {
    move |source| OpenError::Log(LogError { verb, path: path.to_owned(), source })
}

/// What the writer and all readers share.
pub(crate) struct Shared {
    /// Of the log.
    pub(crate) folder: PathBuf,
    pub(crate) files: PathBuf,
    pub(crate) index: RwLock<Index>,
    clock: Arc<dyn Clock>,
    next_file: AtomicU64,
    /// Held as long as anybody works on the store.
    _lock: File,
}

impl Shared {
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().micros()
    }

    pub(crate) fn file_path(&self, number: u64) -> PathBuf {
        self.files.join(format!("{number:016x}"))
    }

    pub(crate) fn segment_path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("log-{number:08x}"))
    }

    /// What cannot be removed now is removed when the store is opened the next time.
    pub(crate) fn remove_file(&self, number: u64) {
        let _ = fs::remove_file(self.file_path(number));
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new file for content that comes; removed unless it is kept.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) file: File,
    number: u64,
    path: PathBuf,
    kept: bool,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where content can be read.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// In a segment of the log, from an offset.
    Log(Arc<File>, u64),
    /// In a file of its own.
    File(PathBuf),
}

/// Content and its size.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) found: Found,
}

impl Content {
    /// The whole content of something small.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self) -> io::Result<Bytes> {
        self.read_at(0, self.size)
    }

    /// A part of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read_at(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        match &self.found {
            Found::Log(file, from) => file.read_exact_at(&mut bytes, from + offset)?,
            Found::File(path) => File::open(path)?.read_exact_at(&mut bytes, offset)?,
        }
        Ok(bytes.into())
    }
}

/// A manifest of a repository.
#[derive(Clone, Debug)]
pub(crate) struct FoundManifest {
    pub(crate) digest: Digest,
    pub(crate) facts: Arc<Facts>,
    pub(crate) content: Content,
}

/// The store of a folder.
pub(crate) struct Store {
    shared: Arc<Shared>,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Store {
    /// Opens the store of a folder, made when missing; tells what could not be read.
    ///
    /// # Errors
    /// When another has it open, or the system refuses.
    pub(crate) fn open(root: &Path, segment_bytes: u64, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Damage>), OpenError> {
        let lock = lock(root)?;
        let now = clock.now().micros();
        let loaded = load(root, now)?;
        let known: HashSet<u64> = loaded.index.contents.values().filter_map(|content| file_of(content.kept?.1)).collect();
        let mut newest_file = 0;
        for (number, path) in files(root)? {
            newest_file = newest_file.max(number);
            // Of a push that did not come to its end; where the log has holes it may be more than that, and is left.
            if !known.contains(&number) && !loaded.damage.iter().any(Damage::is_loss) {
                fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        for path in &loaded.empty {
            fs::remove_file(path).map_err(failed("remove", path))?;
        }
        let folder = root.join(LOG);
        let log = Log::new(&folder, segment_bytes, loaded.newest, loaded.last.as_ref())?;
        let shared = Arc::new(Shared {
            folder,
            files: root.join(FILES),
            index: RwLock::new(loaded.index),
            clock,
            next_file: AtomicU64::new(newest_file + 1),
            _lock: lock,
        });
        let (jobs, asked) = mpsc::channel();
        let writer = Writer { shared: shared.clone(), log, capacity: segment_bytes, stopped: None, compaction: None };
        let writer = std::thread::Builder::new()
            .name("registry-writer".into())
            .spawn(move || writer.run(&asked))
            .map_err(failed("start the writer of", root))?;
        Ok((Self { shared, jobs: Some(jobs), writer: Some(writer) }, loaded.damage))
    }

    /// The time.
    pub(crate) fn now(&self) -> i64 {
        self.shared.now()
    }

    /// Makes a change; returns when it is durable.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    pub(crate) async fn change(&self, change: Change) -> Result<Collected, Refusal> {
        let ended = || Refusal::Stopped("the writer has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.jobs.as_ref().ok_or_else(ended)?.send(Job { change, done }).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Begins a file for content that comes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new_file(&self) -> io::Result<NewFile> {
        let number = self.shared.next_file.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.file_path(number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(NewFile { file, number, path, kept: false })
    }

    /// Makes a file and its name durable. It blocks.
    ///
    /// # Errors
    /// What the system says; what the file holds is then not known.
    pub(crate) fn sync_file(&self, file: &NewFile) -> io::Result<()> {
        file.file.sync_all()?;
        File::open(&self.shared.files)?.sync_all()
    }

    /// Gives a repository a blob that lies in a synced file.
    ///
    /// # Errors
    /// As [`Refusal`] says; the file is then gone.
    pub(crate) async fn keep_file(&self, repository: Arc<str>, digest: Digest, size: u64, mut file: NewFile) -> Result<(), Refusal> {
        // From here on the writer has it: should this caller go away, the file may be kept all the same.
        file.kept = true;
        let source = Source::File(file.number);
        let kept = self.change(Change::Blob { repository, digest, size, source }).await;
        file.kept = !matches!(kept, Err(Refusal::Full(_)));
        kept.map(drop)
    }

    fn content(&self, index: &Index, digest: &Digest) -> Option<Content> {
        let (at, place, size) = index.kept(digest)?;
        let found = match place {
            Place::Log(offset) => Found::Log(index.segments.get(&at.segment)?.file.clone(), u64::from(offset)),
            Place::File(number) => Found::File(self.shared.file_path(number)),
        };
        Some(Content { size, found })
    }

    /// A blob of a repository; it is then held for a while.
    pub(crate) fn blob(&self, repository: &str, digest: &Digest) -> Option<Content> {
        let index = self.shared.read();
        if index.has_blob(repository, digest, self.now()) { self.content(&index, digest) } else { None }
    }

    /// Whether any of some repositories has a blob.
    pub(crate) fn has_blob_anywhere(&self, digest: &Digest, may_read: &dyn Fn(&str) -> bool) -> bool {
        let index = self.shared.read();
        let has = |name: &str| index.repositories.get(name).is_some_and(|room| room.blobs.contains_key(digest));
        index.kept(digest).is_some() && index.repositories.keys().any(|name| has(name) && may_read(name))
    }

    /// Whether there is such a repository.
    pub(crate) fn has_repository(&self, repository: &str) -> bool {
        self.shared.read().repositories.contains_key(repository)
    }

    /// What a tag names.
    pub(crate) fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.shared.read().repositories.get(repository)?.tags.get(tag).map(|tag| tag.digest.clone())
    }

    /// A manifest of a repository.
    pub(crate) fn manifest(&self, repository: &str, digest: &Digest) -> Option<FoundManifest> {
        let index = self.shared.read();
        self.found(&index, repository, digest)
    }

    fn found(&self, index: &Index, repository: &str, digest: &Digest) -> Option<FoundManifest> {
        let facts = index.repositories.get(repository)?.manifests.get(digest)?.facts.clone();
        Some(FoundManifest { digest: digest.clone(), facts, content: self.content(index, digest)? })
    }

    /// The manifests that refer to one, in the order of their digests, behind one of them.
    pub(crate) fn referrers(&self, repository: &str, subject: &Digest, behind: Option<&Digest>) -> Vec<FoundManifest> {
        let index = self.shared.read();
        let known = index.repositories.get(repository).and_then(|room| room.referrers.get(subject));
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let digests = known.into_iter().flat_map(|known| known.range::<Digest, _>((from, Bound::Unbounded)));
        digests.filter_map(|digest| self.found(&index, repository, digest)).collect()
    }

    /// At most so many tags behind one, and whether there are more; `None` when there is no such repository.
    pub(crate) fn tags(&self, repository: &str, behind: &str, most: usize) -> Option<(Vec<Arc<str>>, bool)> {
        let index = self.shared.read();
        let tags = &index.repositories.get(repository)?.tags;
        let mut rest = tags.range::<str, _>((Bound::Excluded(behind), Bound::Unbounded)).map(|(tag, _)| tag.clone());
        let page = rest.by_ref().take(most).collect();
        Some((page, rest.next().is_some()))
    }

    /// At most so many repositories behind one, and whether there are more.
    pub(crate) fn repositories(&self, behind: &str, most: usize, wanted: &dyn Fn(&str) -> bool) -> (Vec<Arc<str>>, bool) {
        let index = self.shared.read();
        let rest = index.repositories.range::<str, _>((Bound::Excluded(behind), Bound::Unbounded)).map(|(name, _)| name);
        let mut rest = rest.filter(|name| wanted(name)).cloned();
        let page = rest.by_ref().take(most).collect();
        (page, rest.next().is_some())
    }

    /// Removes what a policy does not keep; `oldest_session` is when the oldest upload to a repository began.
    ///
    /// # Errors
    /// When nothing can be written.
    pub(crate) async fn collect(
        &self,
        policy: &Policy,
        oldest_session: &(dyn Fn(&str) -> Option<i64> + Sync),
    ) -> Result<Collected, Refusal> {
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let (all, _) = self.repositories("", usize::MAX, &|_| true);
        let mut total = Collected::default();
        for repository in all {
            let keep = policy.keep.iter().find(|keep| crate::rights::fits(&keep.pattern, &repository)).map(|keep| keep.tags);
            loop {
                let now = self.now();
                let cutoff = now.min(oldest_session(&repository).unwrap_or(now)).saturating_sub(micros(policy.grace));
                let untagged = policy.untagged.map(|age| now.saturating_sub(micros(age)));
                let rules = Rules { cutoff, keep, untagged };
                let collected = self.change(Change::Collect { repository: repository.clone(), rules }).await?;
                total.add(&collected);
                if !collected.more {
                    break;
                }
            }
        }
        Ok(total)
    }
}
