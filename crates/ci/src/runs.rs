//! All runs of a server: what is kept of them, who does them, and the news of both.
//!
//! What was acknowledged is on the disk. The [`Queue`] alone decides whose word counts; a run's own record follows it.

mod apply;
mod begin;
mod decide;
mod doing;
mod expire;
#[cfg(test)]
mod faults;
mod files;
mod kept;
mod logs;
mod news;
mod people;
#[cfg(test)]
mod tests;

pub use begin::{Asked, Begun, Branches, Pending, Refs};
pub(crate) use begin::{CHECKOUT, commit_of};
pub use doing::{Said, Taken, Told};
pub use kept::Work;
pub(crate) use logs::LINE_BYTES;
pub use logs::LogPage;
pub use news::{Change, Changes};

use crate::folder::ProjectFolder;
use crate::queue::{self, Action, Lane, Observation, Patience, Queue};
use crate::run::{Artefact, Run, RunId, RunState};
use base::files::FileError;
use base::{Clock, Timestamp};
use files::{Files, Real};
use kept::Kept;
use logs::Log;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{CommitError, JournalError, Store, Txn};
use tokio::sync::{broadcast, oneshot};

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long nothing may be heard of a runner.
    pub patience: Patience,
    /// Bytes of one stage's log; what comes after is left out and that is told.
    pub log_bytes: u64,
    /// Runs that may wait at once.
    pub waiting: usize,
    /// How many runs that have ended are kept.
    pub runs: usize,
    /// How long they are kept, where their project does not say it.
    pub keep: Duration,
    /// How long their artefacts are kept.
    pub keep_artefacts: Duration,
    /// Bytes of one artefact.
    pub artefact_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            patience: Patience::default(),
            log_bytes: 64 << 20,
            waiting: 10_000,
            runs: 2_000,
            keep: day * 30,
            keep_artefacts: day * 14,
            artefact_bytes: 64 << 20,
        }
    }
}

/// Why the runs of a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// No such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// A run without such a stage.
    #[error("run {0} has no stage `{1}`")]
    NoStage(RunId, String),
    /// A stage that a run is not begun from.
    #[error("run {0} cannot be begun from `{1}`, only from a stage that it had planned")]
    NoBeginning(RunId, String),
    /// It is over, and was to be ended.
    #[error("run {0} has ended")]
    HasEnded(RunId),
    /// It is not over, and was to be done again.
    #[error("run {0} has not ended")]
    NotEnded(RunId),
    /// Whoever speaks does not do the run, or no longer.
    #[error("run {0} is another runner's, or over")]
    NotYours(RunId),
    /// Too much waits.
    #[error("{0} runs wait; no more are taken until some have ended")]
    Full(usize),
    /// More than may be kept.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// What may be.
        limit: u64,
    },
    /// More artefacts than a run may leave.
    #[error("a run leaves up to {0} artefacts")]
    Artefacts(usize),
    /// A name that cannot be a file's.
    #[error("`{0}` is no name for an artefact: expected letters, digits, `.`, `_` and `-`")]
    Name(String),
    /// The disk.
    #[error(transparent)]
    Store(#[from] CommitError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Which runs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this repository.
    pub repository: Option<String>,
    /// Of the project in this folder.
    pub project: Option<ProjectFolder>,
    /// Of this branch.
    pub branch: Option<String>,
    /// Of this environment.
    pub environment: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
}

impl Filter {
    /// Whether a run is wanted.
    pub fn fits(&self, run: &Run) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        same(&self.repository, &run.repository)
            && self.project.as_ref().is_none_or(|wanted| *wanted == run.project)
            && same(&self.branch, &run.branch)
            && same(&self.environment, &run.environment)
            && self.state.is_none_or(|state| state == run.state)
    }
}

/// All runs of a server. Cheap to clone.
#[derive(Clone)]
pub struct Runs {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    folder: PathBuf,
    files: Box<dyn Files>,
    options: Options,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    /// Held by whoever lets the queue decide, until that is carried out.
    order: tokio::sync::Mutex<decide::Order>,
    /// Held while it is written which repositories are to be fetched.
    pending: tokio::sync::Mutex<()>,
    changes: broadcast::Sender<Change>,
}

/// What is in memory.
struct Book {
    queue: Queue,
    next: u64,
    all: BTreeSet<RunId>,
    live: HashMap<RunId, Arc<tokio::sync::Mutex<Kept>>>,
    /// Runners that wait, by the number of their question: name, and the way to answer.
    askers: HashMap<u64, (String, oneshot::Sender<Taken>)>,
    questions: u64,
    /// Why the order is not empty.
    trouble: Option<String>,
}

/// How many changes a slow reader may be behind.
const AHEAD: usize = 1024;

impl Runs {
    /// Opens the runs of a folder, made when missing (mode 0700). Runs that were being done are waited for as long as for any other silence.
    ///
    /// # Errors
    /// When files cannot be read or made, or what they hold is damaged.
    pub fn open(folder: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        base::files::make_folder(&folder.join("runs"), 0o700)?;
        let store = Store::open(&folder.join("journal"), store::Options::default())?;
        Self::open_on(store, Box::new(Real), folder, options, clock)
    }

    /// The same over a store and files of one's own.
    fn open_on(store: Store, files: Box<dyn Files>, folder: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let now = clock.steady();
        let mut order = decide::Order::new();
        let mut book = Book {
            queue: Queue::new(options.patience),
            next: 1,
            all: BTreeSet::new(),
            live: HashMap::new(),
            askers: HashMap::new(),
            questions: 0,
            trouble: None,
        };
        if let Some(entry) = store.get(kept::NEXT) {
            book.next = std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        }
        for kept in kept::all(&store) {
            let id = kept.run.id;
            book.next = book.next.max(id.0.saturating_add(1));
            book.all.insert(id);
            if !kept.run.state.has_ended() {
                kept.logs.cut_back(&Log { files: files.as_ref(), folder, run: id })?;
                for observation in kept.resume() {
                    let (queue, actions) = queue::step(std::mem::take(&mut book.queue), observation, now);
                    book.queue = queue;
                    // Nobody asks yet; but what was cancelled is to end. It does with the first decision.
                    order.extend(actions);
                }
                book.live.insert(id, Arc::new(tokio::sync::Mutex::new(kept)));
            }
        }
        let inner = Inner {
            store,
            folder: folder.to_owned(),
            files,
            options,
            clock,
            book: Mutex::new(book),
            order: tokio::sync::Mutex::new(order),
            pending: tokio::sync::Mutex::default(),
            changes: broadcast::Sender::new(AHEAD),
        };
        let runs = Self { inner: Arc::new(inner) };
        runs.sweep()?;
        Ok(runs)
    }

    /// Runs that fit, newest first, from before a run on, at most `limit`. Of those that have ended findings and details are left out:
    /// [`Runs::get`] has them.
    pub fn list(&self, filter: &Filter, before: Option<RunId>, limit: usize) -> Vec<Run> {
        let ids: Vec<RunId> = match before {
            Some(before) => self.book().all.range(..before).rev().copied().collect(),
            None => self.book().all.iter().rev().copied().collect(),
        };
        let runs = ids.into_iter().filter_map(|id| kept::get(&self.inner.store, id)).map(|kept| kept.run);
        runs.filter(|run| filter.fits(run)).take(limit).collect()
    }

    /// One run whole; `None` when there is none of that number, or it has expired.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn get(&self, id: RunId) -> Result<Option<Run>, RunsError> {
        let Some(kept) = kept::get(&self.inner.store, id) else { return Ok(None) };
        Ok(Some(if kept.slim { kept.whole(&self.inner.folder)? } else { kept.run }))
    }

    /// Lines of a stage's log from a line on, from 0.
    ///
    /// # Errors
    /// When there is no such run or stage, or the log cannot be read.
    pub fn log(&self, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, RunsError> {
        let kept = kept::get(&self.inner.store, id).ok_or(RunsError::NoRun(id))?;
        if !kept.run.stages.iter().any(|known| known.name == stage) {
            return Err(RunsError::NoStage(id, stage.to_owned()));
        }
        Ok(kept.logs.page(&self.inner.folder, id, stage, from, limit)?)
    }

    /// An artefact and the file that it is in; `None` when the run has none of that name, or it has expired.
    pub fn artefact(&self, id: RunId, name: &str) -> Option<(Artefact, PathBuf)> {
        let kept = kept::get(&self.inner.store, id)?;
        let artefact = kept.run.artefacts.into_iter().find(|artefact| artefact.name == name)?;
        let path = kept::folder(&self.inner.folder, id).join("artefacts").join(&artefact.name);
        Some((artefact, path))
    }

    /// News from now on.
    pub fn watch(&self) -> Changes {
        Changes(self.inner.changes.subscribe())
    }

    /// How many runs wait and how many are being done.
    pub fn load(&self) -> (usize, usize) {
        let book = self.book();
        (book.queue.waiting(), book.queue.doing())
    }

    /// Why something that was decided is not done yet, such as a run that no runner was given: for want of room on the disk, mostly. It is
    /// tried again with the next decision; `None` while all is well.
    pub fn trouble(&self) -> Option<String> {
        self.book().trouble.clone()
    }

    /// Why nothing can be written any more; `None` while all is well.
    pub fn stopped(&self) -> Option<String> {
        self.inner.store.stopped()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn tell(&self, change: Change) {
        // Nobody may listen.
        let _ = self.inner.changes.send(change);
    }

    /// Lets the queue see something; what is to be done has not been done yet.
    fn observe(&self, observation: Observation) -> Vec<Action> {
        let now = self.inner.clock.steady();
        let mut book = self.book();
        if let Observation::Asks(asker) = &observation
            && !book.askers.contains_key(&asker.number)
        {
            // It left before it was its turn.
            return Vec::new();
        }
        let (queue, actions) = queue::step(std::mem::take(&mut book.queue), observation, now);
        book.queue = queue;
        actions
    }

    fn live(&self, id: RunId) -> Option<Arc<tokio::sync::Mutex<Kept>>> {
        self.book().live.get(&id).cloned()
    }

    /// Keeps what a run is from now on; where that fails it is what it was.
    async fn replace(&self, kept: &mut Kept, after: Kept) -> Result<(), RunsError> {
        self.save(&after).await?;
        *kept = after;
        Ok(())
    }

    async fn save(&self, kept: &Kept) -> Result<(), RunsError> {
        self.inner.store.commit(Txn::default().put(kept::key(kept.run.id), kept.bytes())).await?;
        self.tell(Change::Run(kept.run.id));
        Ok(())
    }
}

fn lane(run: &Run) -> Lane {
    Lane {
        repository: run.repository.clone(),
        project: run.project.clone(),
        branch: run.branch.clone(),
        environment: run.environment.clone(),
    }
}
