//! The store's face: reads, commits, watches.

use crate::journal::{Journal, JournalError, Report, Seal};
use crate::state::State;
use crate::types::{CommitError, Compacted, Entry, Revision, Txn};
use crate::watch::Watch;
use crate::writer::{self, Job};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// How a store behaves.
#[derive(Clone)]
pub struct Options {
    /// Size of a journal file; made in advance.
    pub segment_bytes: u64,
    /// Journal written since the last snapshot that makes a new snapshot due, at the least; twice the live data when that is more.
    pub snapshot_bytes: u64,
    /// Bodies of past changes kept in memory for watches and paged lists.
    pub history_bytes: usize,
    /// Whether snapshots are written beside the commits, by a thread of their own.
    pub background: bool,
    /// What encrypts values on their way to the disk.
    pub seal: Option<Arc<dyn Seal>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, snapshot_bytes: 16 << 20, history_bytes: 4 << 20, background: true, seal: None }
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// In order of their keys.
    pub entries: Vec<Arc<Entry>>,
    /// The state that was listed.
    pub revision: Revision,
    /// The key to go on from, and how many keys are left; `None` when this was the last page.
    pub rest: Option<(Arc<str>, usize)>,
}

/// A store. Cheap to clone; the last one that is dropped ends its writer.
#[derive(Clone)]
pub struct Store {
    state: Arc<RwLock<State>>,
    writer: Arc<Writer>,
    report: Arc<Report>,
}

struct Writer {
    queue: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Closing the queue lets the writer end once it has written what was asked for.
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Store {
    /// Opens the store of a folder, made when missing (mode 0700).
    ///
    /// # Errors
    /// When files cannot be read or made, or a snapshot is damaged.
    pub fn open(folder: &Path, options: Options) -> Result<Self, JournalError> {
        let journal = crate::journal::file::FileJournal::open(folder, &options)?;
        Self::with_journal(Box::new(journal), options)
    }

    /// A store over any journal.
    ///
    /// # Errors
    /// When the journal cannot be replayed.
    pub fn with_journal(mut journal: Box<dyn Journal>, options: Options) -> Result<Self, JournalError> {
        let mut state = State::new(options.history_bytes);
        let report = journal.replay(&mut |replayed| writer::replayed(&mut state, replayed))?;
        if !report.damage.is_empty() {
            // The damaged file is never appended to: all that was saved goes into a snapshot first.
            if let Some(checkpoint) = journal.checkpoint(&state.tree, state.revision)? {
                checkpoint()?;
            }
        }
        let state = Arc::new(RwLock::new(state));
        let (queue, jobs) = channel();
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer::run(&jobs, journal.as_mut(), &shared, &options))
            .map_err(|source| JournalError::io("start", "store thread", source))?;
        let writer = Writer { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) };
        Ok(Self { state, writer: Arc::new(writer), report: Arc::new(report) })
    }

    /// What was found when the store was opened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The newest revision that is durable and seen.
    pub fn revision(&self) -> Revision {
        self.read().revision
    }

    /// Why nothing can be written any more; `None` while all is well.
    pub fn stopped(&self) -> Option<String> {
        self.read().stopped.clone()
    }

    /// One key.
    pub fn get(&self, key: &str) -> Option<Arc<Entry>> {
        self.read().tree.get(key).cloned()
    }

    /// How many keys stand below a prefix.
    pub fn count(&self, prefix: &str) -> usize {
        self.read().below(prefix, prefix).count()
    }

    /// Keys below a prefix, `limit` of them (0: all) from a key on, as they stood at a revision (`None`: now).
    ///
    /// # Errors
    /// When that revision is no longer in memory.
    pub fn list(&self, prefix: &str, limit: usize, from: &str, at: Option<Revision>) -> Result<Page, Compacted> {
        let state = self.read();
        let revision = at.unwrap_or(state.revision);
        let limit = if limit == 0 { usize::MAX } else { limit };
        let (entries, rest) = if revision >= state.revision {
            let mut below = state.below(prefix, from);
            let entries: Vec<Arc<Entry>> = below.by_ref().take(limit).cloned().collect();
            let rest = below.next().map(|next| (next.key.clone(), below.count() + 1));
            (entries, rest)
        } else {
            let mut entries = state.at(prefix, from, revision)?;
            let rest = entries.get(limit).map(|next| (next.key.clone(), entries.len() - limit));
            entries.truncate(limit);
            (entries, rest)
        };
        Ok(Page { entries, revision, rest })
    }

    /// Makes a transaction; resolves when it is durable and seen, with the revision of its last change.
    ///
    /// # Errors
    /// When an expectation does not hold, or the disk failed.
    pub async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.submit(txn).await.unwrap_or_else(|_| Err(self.why_stopped()))
    }

    /// The same for threads outside an asynchronous runtime.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_blocking(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.submit(txn).blocking_recv().unwrap_or_else(|_| Err(self.why_stopped()))
    }

    /// Changes below a prefix after a revision. The prefix is `/`, a resource, a namespace of it (both with the slash
    /// that ends them), or one whole key.
    ///
    /// # Errors
    /// When changes after that revision are no longer in memory.
    pub fn watch(&self, prefix: &str, since: Revision) -> Result<Watch, Compacted> {
        let queue = self.state.write().unwrap_or_else(PoisonError::into_inner).watch(prefix, since)?;
        Ok(Watch { queue, state: self.state.clone() })
    }

    fn submit(&self, txn: Txn) -> oneshot::Receiver<Result<Revision, CommitError>> {
        let (done, wait) = oneshot::channel();
        let queue = self.writer.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            // A writer that is gone drops the job, which the receiver sees.
            let _ = queue.send(Job { txn, done });
        }
        wait
    }

    fn why_stopped(&self) -> CommitError {
        CommitError::Stopped(self.read().stopped.clone().unwrap_or_else(|| "its writer ended".to_owned()))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}
