//! The server: repositories to push to, web hooks, runners and people, over HTTP; and what begins runs.

mod api;
mod door;
mod hooks;
mod observe;
mod remote;
mod reply;
mod runners;
mod spool;
pub(crate) mod wire;

pub use observe::{Pushed, Started, hook_purpose, token_purpose};

use crate::git::Git;
use crate::repositories::{Repositories, RepositoryError};
use crate::rules::Rules;
use crate::runs::{self, OpenError, Options, Runs, RunsError};
use crate::secrets::Secrets;
use crate::tokens::Tokens;
use base::files::FileError;
use base::{Clock, SystemClock};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// What a server has to say: for a log.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Reads the rules of a commit's `wharf.yaml`; those that cannot be read are `None`: the run itself will say why.
pub type ReadRules = Arc<dyn Fn(&str) -> Option<Rules> + Send + Sync>;

/// How a server is run.
#[derive(Clone)]
pub struct ServerOptions {
    /// What is kept of runs.
    pub runs: Options,
    /// How git is started.
    pub git: Git,
    /// Names under which it may be reached, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Where people find it: `http://127.0.0.1:8080`.
    pub url: String,
    /// git processes at once.
    pub processes: usize,
    /// Bytes of one push.
    pub push_bytes: u64,
    /// Reads settings.
    pub rules: ReadRules,
    /// Its log.
    pub say: Say,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            runs: Options::default(),
            git: Git::default(),
            hosts: Vec::new(),
            url: String::new(),
            processes: 8,
            push_bytes: 2 << 30,
            rules: Arc::new(|_| None),
            say: Arc::new(|_| {}),
        }
    }
}

/// Why something went wrong that nobody asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Runs.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Repositories.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// git.
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
    /// Secrets.
    #[error(transparent)]
    Secret(#[from] crate::secrets::SecretError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    core: Arc<Core>,
}

struct Core {
    runs: Runs,
    repositories: Repositories,
    tokens: Tokens,
    secrets: Secrets,
    options: ServerOptions,
    folder: PathBuf,
    /// One push at a time into a repository; what it changed is seen before the next.
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    processes: Arc<Semaphore>,
    /// A repository is to be fetched or looked at.
    fetch: Notify,
    /// Repositories that could not be looked at, and who pushed to them.
    again: Mutex<BTreeMap<String, String>>,
    /// The last error that was told to the operator, and when.
    told: Mutex<Option<(String, Instant)>>,
}

/// How often runners are looked after.
const TICK: Duration = Duration::from_secs(1);
/// How often what is old is removed.
const EXPIRE: Duration = Duration::from_secs(600);
/// How long until what could not be fetched is tried again.
const FETCH_AGAIN: Duration = Duration::from_secs(30);

impl Server {
    /// Opens the server of a folder, made when missing.
    ///
    /// # Errors
    /// When files cannot be read or made, or another server has it.
    pub fn open(folder: &Path, options: ServerOptions) -> Result<Self, OpenError> {
        Self::open_at(folder, options, Arc::new(SystemClock))
    }

    /// The same with a clock of one's own.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub fn open_at(folder: &Path, options: ServerOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        base::files::make_folder(folder, 0o700)?;
        let runs = Runs::open(folder, options.runs, clock)?;
        let repositories = Repositories::open(&folder.join("repositories"), options.git.clone())?;
        spool::sweep(folder)?;
        let core = Core {
            runs,
            repositories,
            tokens: Tokens::new(&folder.join("tokens.json")),
            secrets: Secrets::new(folder),
            processes: Arc::new(Semaphore::new(options.processes.max(1))),
            options,
            folder: folder.to_owned(),
            locks: Mutex::default(),
            fetch: Notify::new(),
            again: Mutex::default(),
            told: Mutex::default(),
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// Its runs.
    pub fn runs(&self) -> &Runs {
        &self.core.runs
    }

    /// Its tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.core.tokens
    }

    /// Its repositories.
    pub fn repositories(&self) -> &Repositories {
        &self.core.repositories
    }

    /// Looks at every repository for what was pushed and began no run: a server may have died in between.
    ///
    /// # Errors
    /// When nothing can be kept. A repository that cannot be read is told and left.
    pub async fn catch_up(&self) -> Result<Vec<Pushed>, ServerError> {
        let (mut all, unknown) = (Vec::new(), || "unknown".to_owned());
        let pending = self.core.runs.pending();
        for name in self.core.repositories.names()? {
            if pending.iter().any(|(pending, _)| *pending == name) {
                // It is fetched and looked at for what its hook said.
                continue;
            }
            let lock = self.lock(&name);
            let _held = lock.lock().await;
            match self.look(&name, &observe::By::Push(unknown())).await {
                Ok(found) => {
                    if !self.say_left(&name, &found).is_empty() {
                        self.look_again(&name, unknown());
                    }
                    all.extend(found.pushed);
                }
                Err(ServerError::Git(error)) => {
                    (self.core.options.say)(&format!("the repository `{name}` cannot be read: {error}"));
                    self.look_again(&name, unknown());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Looks after runners, what is old, and what is to be fetched; ends when nothing can be kept any more, with the reason.
    pub async fn look_after(&self) -> String {
        let mut tick = tokio::time::interval(TICK);
        let mut expire = tokio::time::interval(EXPIRE);
        let fetching = tokio::spawn(self.clone().fetch_all());
        let mut told = None;
        let why = loop {
            tokio::select! {
                _ = tick.tick() => self.core.runs.tick().await,
                _ = expire.tick() => {
                    if let Err(error) = self.core.runs.expire().await {
                        (self.core.options.say)(&format!("what is old cannot be removed: {error}"));
                    }
                }
            }
            let trouble = self.core.runs.trouble();
            if trouble != told {
                let now =
                    trouble.as_ref().map_or_else(|| "runs go on".to_owned(), |why| format!("runs wait, and it is tried again: {why}"));
                (self.core.options.say)(&now);
                told = trouble;
            }
            if let Some(why) = self.core.runs.stopped() {
                break why;
            }
        };
        fetching.abort();
        why
    }

    async fn fetch_all(self) {
        loop {
            let mut left = false;
            for (repository, pending) in self.core.runs.pending() {
                match self.fetch_one(&repository, &pending).await {
                    Ok(found) => left |= !self.say_left(&repository, &found).is_empty(),
                    Err(ServerError::Repository(RepositoryError::Missing(_))) => self.forget(&repository, pending).await,
                    Err(error) => {
                        left = true;
                        (self.core.options.say)(&format!("`{repository}` cannot be fetched, tried again in 30 s: {error}"));
                    }
                }
            }
            left |= self.look_at_the_rest().await;
            if left {
                let _ = tokio::time::timeout(FETCH_AGAIN, self.core.fetch.notified()).await;
            } else {
                self.core.fetch.notified().await;
            }
        }
    }

    /// Looks at what could not be looked at before; whether something is left of it.
    async fn look_at_the_rest(&self) -> bool {
        let mut rest = std::mem::take(&mut *self.core.again.lock().unwrap_or_else(PoisonError::into_inner));
        for (repository, by) in std::mem::take(&mut rest) {
            let lock = self.lock(&repository);
            let _held = lock.lock().await;
            let is_left = match self.look(&repository, &observe::By::Push(by.clone())).await {
                Ok(found) => !self.say_left(&repository, &found).is_empty(),
                Err(ServerError::Repository(RepositoryError::Missing(_))) => false,
                Err(error) => {
                    (self.core.options.say)(&format!("`{repository}` cannot be read, tried again in 30 s: {error}"));
                    true
                }
            };
            if is_left {
                rest.insert(repository, by);
            }
        }
        let is_left = !rest.is_empty();
        self.core.again.lock().unwrap_or_else(PoisonError::into_inner).extend(rest);
        is_left
    }

    /// A repository is to be looked at once more.
    fn look_again(&self, repository: &str, by: String) {
        self.core.again.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.to_owned(), by);
        self.core.fetch.notify_one();
    }

    /// Says of which branches no run began, and why; the lines for whoever pushed.
    fn say_left(&self, repository: &str, found: &observe::Found) -> Vec<String> {
        let left = found.left.iter().map(|(branch, error)| format!("no run of {branch} began yet, tried again in 30 s: {error}"));
        left.inspect(|line| (self.core.options.say)(&format!("`{repository}`: {line}"))).collect()
    }

    /// What a hook said of a repository that is gone is of no more use.
    async fn forget(&self, repository: &str, pending: runs::Pending) {
        let refs = runs::Refs { fetched: Some((repository.to_owned(), pending)), ..runs::Refs::default() };
        // Where that cannot be kept, it is tried again with the next.
        let _ = self.core.runs.begin(Vec::new(), refs).await;
    }

    fn lock(&self, repository: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.core.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(repository.to_owned()).or_default().clone()
    }
}
