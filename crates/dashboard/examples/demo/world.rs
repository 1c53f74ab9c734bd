//! A source in memory, that tests and the demonstration change as they like.

use crate::{runs, things};
use async_trait::async_trait;
use base::{Clock, SystemClock, Timestamp};
use bytes::Bytes;
use ci::{Run, RunId, RunState, StageState, Trigger};
use dashboard::{Allowed, Change, Download, Image, ImageBrief, LogPage, Release, ReleaseKey, Role, RunFilter, Source, SourceError, User};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// See the module.
pub struct World {
    state: Mutex<State>,
    changes: broadcast::Sender<Change>,
}

#[derive(Default)]
pub struct State {
    pub runs: BTreeMap<RunId, Run>,
    pub logs: HashMap<(RunId, String), Vec<String>>,
    pub tokens_gone: Vec<String>,
    /// No log can be read from this line on.
    pub unreadable_from: Option<u64>,
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

impl World {
    /// With nothing in it.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changes: broadcast::channel(1024).0 })
    }

    /// With something of everything.
    pub fn rich() -> Arc<Self> {
        let world = Self::empty();
        runs::fill(&mut world.lock());
        world
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a run, and tells of it.
    pub fn change(&self, id: RunId, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.lock().runs.get_mut(&id) {
            change(run);
        }
        let _ = self.changes.send(Change::Run(id));
    }

    /// Adds a run with the next number.
    pub fn add(&self, make: impl FnOnce(RunId) -> Run) -> RunId {
        let id = {
            let mut state = self.lock();
            let id = RunId(state.runs.keys().next_back().map_or(1, |last| last.0 + 1));
            let run = make(id);
            state.runs.insert(id, run);
            id
        };
        let _ = self.changes.send(Change::Run(id));
        id
    }

    /// Adds lines to a log.
    pub fn say(&self, id: RunId, stage: &str, lines: impl IntoIterator<Item = String>) {
        let count = {
            let mut state = self.lock();
            let log = state.logs.entry((id, stage.to_owned())).or_default();
            log.extend(lines);
            let count = log.len() as u64;
            if let Some(stage) = state.runs.get_mut(&id).and_then(|run| run.stages.iter_mut().find(|one| one.name == stage)) {
                stage.lines = count;
            }
            count
        };
        let _ = self.changes.send(Change::Log { run: id, stage: stage.to_owned(), lines: count });
    }

    fn of(&self, id: RunId) -> Result<Run, SourceError> {
        self.lock().runs.get(&id).cloned().ok_or_else(|| SourceError::Missing(format!("run {id}")))
    }
}

#[async_trait]
impl Source for World {
    async fn runs(&self, filter: &RunFilter, before: Option<RunId>, limit: usize) -> Result<Vec<Run>, SourceError> {
        let state = self.lock();
        let taken = state.runs.values().rev().filter(|run| before.is_none_or(|before| run.id < before) && filter.takes(run));
        Ok(taken.take(limit).cloned().collect())
    }

    async fn run(&self, id: RunId) -> Result<Run, SourceError> {
        self.of(id)
    }

    async fn repositories(&self) -> Result<Vec<String>, SourceError> {
        let mut names: Vec<String> = self.lock().runs.values().map(|run| run.repository.clone()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn log(&self, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, SourceError> {
        self.of(id)?;
        if self.lock().unreadable_from.is_some_and(|first| from.saturating_add(limit as u64) > first) {
            tokio::task::yield_now().await;
            return Err(SourceError::Failed("the disk says no".into()));
        }
        let state = self.lock();
        let lines = state.logs.get(&(id, stage.to_owned())).map(Vec::as_slice).unwrap_or_default();
        let first = usize::try_from(from).unwrap_or(usize::MAX).min(lines.len());
        let last = first.saturating_add(limit).min(lines.len());
        Ok(LogPage { from: first as u64, lines: lines[first..last].to_vec(), total: lines.len() as u64, is_cut: false })
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        stream::unfold(self.changes.subscribe(), |mut changes| async move {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((Change::Behind, changes)),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        })
        .boxed()
    }

    async fn retry(&self, id: RunId, from: Option<&str>, by: &User) -> Result<RunId, SourceError> {
        let old = self.of(id)?;
        let trigger = Trigger::Retry { of: id, from: from.map(str::to_owned), by: by.name.clone() };
        Ok(self.add(|id| Run { trigger, ..runs::begun(id, &old.repository, &old.branch, &old.commit.subject) }))
    }

    async fn cancel(&self, id: RunId, _: &User) -> Result<(), SourceError> {
        if self.of(id)?.state.has_ended() {
            return Err(SourceError::Refused(format!("run {id} has ended")));
        }
        self.change(id, |run| {
            (run.state, run.ended) = (RunState::Cancelled, Some(now()));
            for stage in run.stages.iter_mut().filter(|stage| matches!(stage.state, StageState::Waiting | StageState::Running)) {
                stage.state = StageState::Skipped;
            }
        });
        Ok(())
    }

    async fn artefact(&self, _: RunId, name: &str) -> Result<Download, SourceError> {
        Ok(Download { media_type: "text/html".into(), bytes: Bytes::from(format!("<script>alert(1)</script> {name}")) })
    }

    async fn releases(&self) -> Result<Vec<Release>, SourceError> {
        Ok(things::releases())
    }

    async fn release(&self, key: &ReleaseKey) -> Result<Allowed, SourceError> {
        let release = things::releases().into_iter().find(|release| release.key == *key);
        release.map(things::allowed).ok_or_else(|| SourceError::Missing(format!("release {}", key.id)))
    }

    async fn images(&self) -> Result<Vec<ImageBrief>, SourceError> {
        Ok(things::images())
    }

    async fn image(&self, id: &str) -> Result<Image, SourceError> {
        let brief = things::images().into_iter().find(|image| image.id == id);
        brief.map(things::image).ok_or_else(|| SourceError::Missing(format!("image {id}")))
    }

    async fn user(&self, token: &str) -> Option<User> {
        let role = match token {
            "operator" => Role::Operator,
            "reader" => Role::Reader,
            _ => return None,
        };
        Some(User { name: token.to_owned(), role })
    }

    async fn is_known(&self, user: &User) -> bool {
        !self.lock().tokens_gone.contains(&user.name)
    }
}
