//! Runs begin: numbered, written down together with what they were begun for, then in line.

use super::decide::whole;
use super::kept::{self, Kept, Work};
use super::logs::Logs;
use super::{Change, Runs, RunsError, lane};
use crate::folder::ProjectFolder;
use crate::queue::Observation;
use crate::run::{Commit, Run, RunId, RunState, StageRun, Trigger};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Txn;

/// The stage before all others.
pub(crate) const CHECKOUT: &str = "checkout";

/// A run that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The repository.
    pub repository: String,
    /// Where in it the project lies.
    pub project: ProjectFolder,
    /// The branch.
    pub branch: String,
    /// The environment.
    pub environment: String,
    /// The commit.
    pub commit: Commit,
    /// Why.
    pub trigger: Trigger,
    /// What is to be done.
    pub work: Work,
}

/// The numbers of runs that began.
pub type Begun = Vec<RunId>;

/// What is known from now on, together with the runs: either both are on the disk or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// The branches of a repository (by its instance) and their commits, all of them.
    pub branches: Option<(String, Branches)>,
    /// A delivery of a web hook.
    pub delivery: Option<String>,
    /// A repository that is to be fetched, and which delivery says so.
    pub pending: Option<(String, Pending)>,
    /// A repository that was fetched, and what it was fetched for: a delivery that came since is still to be fetched for.
    pub fetched: Option<(String, Pending)>,
}

/// Branches and their commits. Of one that begins with `~` the commit is only known, and began nothing.
pub type Branches = BTreeMap<String, String>;

/// The commit of a branch that was recorded, and whether nothing was begun for it.
pub(crate) fn commit_of(recorded: &str) -> (&str, bool) {
    recorded.strip_prefix('~').map_or((recorded, false), |id| (id, true))
}

/// A delivery of a web hook that was taken, and whose repository has not been fetched yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// `github`, `gitlab` or `plain`.
    pub provider: String,
    /// The sender's name for it; where more than one was taken since the last fetch, that of the last.
    pub delivery: String,
    /// The branches that all of them are about.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub branches: BTreeSet<String>,
}

const PENDING: &str = "pending/";

fn refs_key(instance: &str) -> String {
    format!("refs/{instance}")
}

fn delivery_key(delivery: &str) -> String {
    format!("deliveries/{delivery}")
}

impl Runs {
    /// The branches of a repository (by its instance) that were looked at, and their commits; `None` when it never was.
    pub fn branches(&self, instance: &str) -> Option<Branches> {
        let entry = self.inner.store.get(&refs_key(instance))?;
        serde_json::from_slice(&entry.value).ok()
    }

    /// Whether a delivery of a web hook was taken before.
    pub fn knows_delivery(&self, delivery: &str) -> bool {
        self.inner.store.get(&delivery_key(delivery)).is_some()
    }

    /// Repositories that are to be fetched.
    pub fn pending(&self) -> Vec<(String, Pending)> {
        let Ok(page) = self.inner.store.list(PENDING, 0, "", None) else { return Vec::new() };
        let read =
            |entry: &Arc<store::Entry>| Some((entry.key.strip_prefix(PENDING)?.to_owned(), serde_json::from_slice(&entry.value).ok()?));
        page.entries.iter().filter_map(read).collect()
    }

    /// Whether so many more runs may wait.
    ///
    /// # Errors
    /// When they are too many.
    pub fn room(&self, more: usize) -> Result<(), RunsError> {
        let waiting = self.book().queue.waiting();
        if waiting.saturating_add(more) > self.inner.options.waiting { Err(RunsError::Full(waiting)) } else { Ok(()) }
    }

    /// Begins runs, and keeps in the same step what they were begun for.
    ///
    /// # Errors
    /// When nothing can be kept: then none has begun.
    pub async fn begin(&self, asked: Vec<Asked>, refs: Refs) -> Result<Begun, RunsError> {
        let runs = self.clone();
        whole(async move { runs.begin_whole(asked, refs).await }).await
    }

    async fn begin_whole(&self, asked: Vec<Asked>, refs: Refs) -> Result<Begun, RunsError> {
        let now = self.now();
        let mut txn = Txn::default();
        let first = {
            let mut book = self.book();
            let first = book.next;
            book.next = first.saturating_add(asked.len() as u64);
            first
        };
        let new: Vec<Kept> = asked.into_iter().zip(first..).map(|(asked, number)| record(asked, RunId(number), now)).collect();
        for kept in &new {
            txn = txn.put(kept::key(kept.run.id), kept.bytes());
        }
        // What is pending is read and written by one at a time.
        let _held = self.inner.pending.lock().await;
        txn = self.with_refs(txn, refs, now);
        txn = txn.put(kept::NEXT, self.book().next.to_string());
        self.inner.store.commit(txn).await?;
        let mut begun = Vec::new();
        let mut order = self.inner.order.lock().await;
        for kept in new {
            let (id, lane, run) = (kept.run.id, lane(&kept.run), Arc::new(tokio::sync::Mutex::new(kept)));
            {
                let mut book = self.book();
                book.all.insert(id);
                book.live.insert(id, run);
            }
            begun.push(id);
            self.tell(Change::Run(id));
            self.decide_in(&mut order, Observation::Pushed { id, lane, attempts: 0 }).await;
        }
        Ok(begun)
    }
}

impl Runs {
    fn with_refs(&self, mut txn: Txn, refs: Refs, now: base::Timestamp) -> Txn {
        if let Some((instance, branches)) = refs.branches {
            txn = self.earlier(&instance).into_iter().fold(txn, Txn::delete);
            txn = txn.put(refs_key(&instance), serde_json::to_vec(&branches).unwrap_or_default());
        }
        if let Some(delivery) = &refs.delivery {
            txn = txn.put(delivery_key(delivery), now.micros().to_string());
        }
        let waiting = |key: &str| {
            let entry = self.inner.store.get(key)?;
            serde_json::from_slice::<Pending>(&entry.value).ok()
        };
        if let Some((repository, mut pending)) = refs.pending {
            let key = format!("{PENDING}{repository}");
            pending.branches.extend(waiting(&key).into_iter().flat_map(|before| before.branches));
            txn = txn.put(key, serde_json::to_vec(&pending).unwrap_or_default());
        }
        if let Some((repository, pending)) = refs.fetched {
            let key = format!("{PENDING}{repository}");
            if waiting(&key).as_ref() == Some(&pending) {
                txn = txn.delete(key);
            }
        }
        txn
    }

    /// What was recorded of repositories of the same name that are gone.
    fn earlier(&self, instance: &str) -> Vec<Arc<str>> {
        let name = instance.split('/').next().unwrap_or_default();
        let (own, all) = (refs_key(instance), refs_key(name));
        let Ok(page) = self.inner.store.list(&all, 0, "", None) else { return Vec::new() };
        let is_of_name = |key: &str| key.strip_prefix(all.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        page.entries.iter().map(|entry| entry.key.clone()).filter(|key| is_of_name(key) && **key != *own).collect()
    }
}

fn record(asked: Asked, id: RunId, now: base::Timestamp) -> Kept {
    let run = Run {
        id,
        repository: asked.repository,
        project: asked.project,
        branch: asked.branch,
        environment: asked.environment,
        commit: asked.commit,
        trigger: asked.trigger,
        state: RunState::Queued,
        attempt: 0,
        runner: None,
        created: now,
        began: None,
        ended: None,
        stages: vec![StageRun::waiting(CHECKOUT)],
        cause: None,
        urls: Vec::new(),
        release: None,
        artefacts: Vec::new(),
    };
    Kept { run, work: asked.work, doing: None, cancelled: None, logs: Logs::default(), slim: false }
}
