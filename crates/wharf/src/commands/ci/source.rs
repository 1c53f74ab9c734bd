//! What the pages show: the server's runs, and this machine's releases and images.

use crate::pages;
use async_trait::async_trait;
use base::{Clock, SystemClock};
use ci::{Right, Role, Run, RunId, RunsError, Server};
use dashboard::{Allowed, Change, Download, Image, ImageBrief, LogPage, Release, ReleaseKey, RunFilter, Source, SourceError, User};
use futures::stream::{BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that there is to show.
#[derive(Clone)]
pub(super) struct Everything {
    server: Server,
    home: Arc<PathBuf>,
}

impl Everything {
    pub(super) fn new(server: Server, home: &Path) -> Self {
        Self { server, home: Arc::new(home.to_owned()) }
    }

    /// Reads from the disk on a thread that may wait.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Path) -> Result<T, SourceError> + Send + 'static) -> Result<T, SourceError> {
        let home = self.home.clone();
        let done = tokio::task::spawn_blocking(move || read(&home)).await;
        done.unwrap_or_else(|error| Err(SourceError::Failed(error.to_string())))
    }
}

fn told(error: RunsError) -> SourceError {
    match error {
        RunsError::NoRun(id) => SourceError::Missing(format!("run {id}")),
        RunsError::NoStage(id, stage) => SourceError::Missing(format!("stage {stage} of run {id}")),
        RunsError::Store(_) | RunsError::File(_) => SourceError::Failed(error.to_string()),
        error => SourceError::Refused(error.to_string()),
    }
}

fn role(role: Role) -> dashboard::Role {
    if role.has(Right::Operate) { dashboard::Role::Operator } else { dashboard::Role::Reader }
}

fn store(home: &Path) -> Result<blobs::Store, SourceError> {
    blobs::Store::open(&home.join("blobs")).map_err(|error| SourceError::Failed(error.to_string()))
}

/// The first run of those kept that deployed each release, by the release's id and its environment.
fn deployed_by(runs: &ci::Runs) -> BTreeMap<(String, String), RunId> {
    const MOST: usize = 500;
    let newest_first = runs.list(&ci::Filter::default(), None, MOST);
    newest_first.into_iter().filter_map(|run| Some(((run.release?, run.environment), run.id))).collect()
}

fn run_of(by: &BTreeMap<(String, String), RunId>, key: &ReleaseKey) -> Option<RunId> {
    by.get(&(key.id.clone(), key.environment.clone())).copied()
}

#[async_trait]
impl Source for Everything {
    async fn runs(&self, filter: &RunFilter, before: Option<RunId>, limit: usize) -> Result<Vec<Run>, SourceError> {
        let (repository, branch) = (filter.repository.clone(), filter.branch.clone());
        let filter = ci::Filter { repository, branch, state: filter.state, ..ci::Filter::default() };
        let runs = self.server.runs().clone();
        self.read(move |_| Ok(runs.list(&filter, before, limit))).await
    }

    async fn run(&self, id: RunId) -> Result<Run, SourceError> {
        let runs = self.server.runs().clone();
        self.read(move |_| runs.get(id).map_err(told)?.ok_or_else(|| SourceError::Missing(format!("run {id}")))).await
    }

    async fn repositories(&self) -> Result<Vec<String>, SourceError> {
        self.server.repositories().names().map_err(|error| SourceError::Failed(error.to_string()))
    }

    async fn log(&self, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, SourceError> {
        let (runs, stage) = (self.server.runs().clone(), stage.to_owned());
        let page = self.read(move |_| runs.log(id, &stage, from, limit).map_err(told)).await?;
        Ok(LogPage { from: page.from, lines: page.lines, total: page.total, is_cut: page.cut })
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        let news = self.server.runs().watch();
        let next = |mut news: ci::Changes| async move {
            let change = match news.next().await? {
                ci::Change::Run(id) => Change::Run(id),
                ci::Change::Lines { run, stage, lines } => Change::Log { run, stage, lines },
                ci::Change::Missed => Change::Behind,
            };
            Some((change, news))
        };
        futures::stream::unfold(news, next).boxed()
    }

    async fn retry(&self, id: RunId, from: Option<&str>, by: &User) -> Result<RunId, SourceError> {
        self.server.runs().retry(id, from, &by.name).await.map_err(told)
    }

    async fn cancel(&self, id: RunId, by: &User) -> Result<(), SourceError> {
        self.server.runs().cancel(id, &by.name).await.map_err(told)
    }

    async fn artefact(&self, id: RunId, name: &str) -> Result<Download, SourceError> {
        let missing = || SourceError::Missing(format!("the artefact {name}"));
        let (artefact, path) = self.server.runs().artefact(id, name).ok_or_else(missing)?;
        let bytes = self.read(move |_| base::files::read(&path).map_err(|error| SourceError::Failed(error.to_string()))).await?;
        Ok(Download { media_type: artefact.media_type, bytes: bytes.into() })
    }

    async fn releases(&self) -> Result<Vec<Release>, SourceError> {
        let runs = self.server.runs().clone();
        self.read(move |home| {
            let by = deployed_by(&runs);
            let releases = pages::releases(home)?;
            Ok(releases.into_iter().map(|release| Release { run: release.run.or_else(|| run_of(&by, &release.key)), ..release }).collect())
        })
        .await
    }

    async fn release(&self, key: &ReleaseKey) -> Result<Allowed, SourceError> {
        let (key, runs) = (key.clone(), self.server.runs().clone());
        self.read(move |home| {
            let mut allowed = pages::release(home, &key)?;
            allowed.release.run = allowed.release.run.or_else(|| run_of(&deployed_by(&runs), &key));
            Ok(allowed)
        })
        .await
    }

    async fn images(&self) -> Result<Vec<ImageBrief>, SourceError> {
        self.read(|home| pages::images(&store(home)?)).await
    }

    async fn image(&self, id: &str) -> Result<Image, SourceError> {
        let id = id.to_owned();
        self.read(move |home| pages::image(home, &store(home)?, &id, SystemClock.now())).await
    }

    async fn user(&self, token: &str) -> Option<User> {
        // A runner's token is for no person.
        let who = self.server.tokens().who(token).filter(|who| who.role != Role::Runner)?;
        Some(User { name: who.name, role: role(who.role) })
    }

    async fn is_known(&self, user: &User) -> bool {
        let roles = [Role::Admin, Role::Push, Role::Read];
        roles.into_iter().any(|known| role(known) == user.role && self.server.tokens().knows(&user.name, known))
    }
}
