//! Where the pages have everything from: runs and their logs, releases, images, and who may look.

mod image;
mod release;

pub use delivery::Check;
pub use image::{Image, ImageBrief, Layer};
pub use release::{Allowed, Approval, Fate, Happened, Release, ReleaseKey, StageResult};

use async_trait::async_trait;
use bytes::Bytes;
use ci::{Run, RunId, RunState};
use futures::stream::BoxStream;

/// Which runs are asked for; an empty filter is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of one repository, by its whole name.
    pub repository: Option<String>,
    /// Of one branch, by its whole name.
    pub branch: Option<String>,
    /// In one state.
    pub state: Option<RunState>,
}

impl RunFilter {
    /// Whether a run is asked for.
    pub fn takes(&self, run: &Run) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        same(&self.repository, &run.repository) && same(&self.branch, &run.branch) && self.state.is_none_or(|state| state == run.state)
    }
}

/// Lines of one stage's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The number of the first line here, from 0.
    pub from: u64,
    /// The lines, without their ends; as the program wrote them, secrets masked.
    pub lines: Vec<String>,
    /// How many lines the log has now.
    pub total: u64,
    /// Whether it was cut: the program wrote more than is kept.
    pub is_cut: bool,
}

/// What a reader of pages learns while it looks. It says that there is something new, not what: pages read that again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A run is new, or is not as it was.
    Run(RunId),
    /// A stage's log has so many lines now.
    Log {
        /// The run.
        run: RunId,
        /// The stage, by name.
        stage: String,
        /// Its lines.
        lines: u64,
    },
    /// More happened than could be told: everything is to be read again.
    Behind,
}

/// What somebody who logged in may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look at everything.
    Reader,
    /// Retry and cancel runs too.
    Operator,
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their name, as the token is known by.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Why something asked for is not given or done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not there, or not any more: `run 7`, `the artefact x`.
    #[error("there is no {0}")]
    Missing(String),
    /// It cannot be done to the thing as it is: a run that has ended is cancelled. One sentence.
    #[error("{0}")]
    Refused(String),
    /// It cannot be known now: a cluster does not answer, a file cannot be read. One sentence.
    #[error("{0}")]
    Failed(String),
}

/// A file that a run left, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its media type.
    pub media_type: String,
    /// All of it.
    pub bytes: Bytes,
}

/// Everything that pages show. Lists are the newest first. All texts may be hostile: the pages show them as text.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// At most `limit` runs that a filter takes, the newest first; with `before` only those with a smaller number.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn runs(&self, filter: &RunFilter, before: Option<RunId>, limit: usize) -> Result<Vec<Run>, SourceError>;

    /// One run.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    async fn run(&self, id: RunId) -> Result<Run, SourceError>;

    /// The names of all repositories, sorted.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn repositories(&self) -> Result<Vec<String>, SourceError>;

    /// At most `limit` lines of a stage's log from line `from` on (from 0); no lines past its end.
    ///
    /// # Errors
    /// When there is no such run or stage, or it cannot be read.
    async fn log(&self, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, SourceError>;

    /// What changes from now on. A reader that is slow learns [`Change::Behind`] instead of everything; the end of the stream
    /// is the end of the server.
    fn changes(&self) -> BoxStream<'static, Change>;

    /// Begins a run again from one of its stages, or from the first one; its number.
    ///
    /// # Errors
    /// When there is none, or it cannot be done.
    async fn retry(&self, id: RunId, from: Option<&str>, by: &User) -> Result<RunId, SourceError>;

    /// Ends a run.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    async fn cancel(&self, id: RunId, by: &User) -> Result<(), SourceError>;

    /// A file that a run left, by its name.
    ///
    /// # Errors
    /// When there is none, or none any more.
    async fn artefact(&self, id: RunId, name: &str) -> Result<Download, SourceError>;

    /// All releases of all projects and environments that are known.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn releases(&self) -> Result<Vec<Release>, SourceError>;

    /// A release and what allowed it.
    ///
    /// # Errors
    /// When there is none, or what is known of it cannot be read.
    async fn release(&self, key: &ReleaseKey) -> Result<Allowed, SourceError>;

    /// All images that are known.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn images(&self) -> Result<Vec<ImageBrief>, SourceError>;

    /// An image by its id (`sha256:...`): its layers, its packages, what is known against it.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    async fn image(&self, id: &str) -> Result<Image, SourceError>;

    /// Whom a token stands for; nobody where it is not known. It is compared in constant time (by its hash).
    async fn user(&self, token: &str) -> Option<User>;

    /// Whether somebody who logged in before still may: false once their token was taken away. Asked with every request.
    async fn is_known(&self, user: &User) -> bool;
}
