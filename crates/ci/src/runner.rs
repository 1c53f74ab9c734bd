//! A runner: takes runs from a server, one at a time, checks their commits out, does them with `wharf up`, and says what happens.
//!
//! Its words have numbers, so that none is lost or doubled over a broken connection or a server that starts again. When they do not
//! arrive for as long as the server is patient, or are refused, it has lost the run and ends what it does.

mod checkout;
mod child;
mod job;
mod lanes;
mod lines;
mod link;
mod speaker;

use crate::git::Git;
use link::{Link, LinkError};
use net::client::{ClientOptions, Trust, Url};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How a runner works.
#[derive(Clone)]
pub struct RunnerOptions {
    /// The server.
    pub server: Url,
    /// Whether it must prove who it is.
    pub trust: Trust,
    /// How it is spoken to.
    pub client: ClientOptions,
    /// The token, of the role `runner`.
    pub token: String,
    /// The runner's name, for people.
    pub name: String,
    /// Where commits are checked out.
    pub work: PathBuf,
    /// How git is started.
    pub git: Git,
    /// The program that does the work.
    pub program: PathBuf,
    /// What stands before `up` on its command line.
    pub before: Vec<OsString>,
    /// What stands after.
    pub after: Vec<OsString>,
    /// Its environment; the run's secrets and `WHARF_CI_*` are added.
    pub environment: Vec<(OsString, OsString)>,
    /// How long a child has to end by itself once it is asked to.
    pub grace: Duration,
    /// Whether the runner is to leave once it has no run in hand.
    pub leaves: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Its log.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Why a runner ended that nobody told to.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The server does not know its token, or it may not take runs.
    #[error("the server {0} refuses this runner: {1}")]
    Refused(String, String),
    /// Its folder.
    #[error(transparent)]
    File(#[from] base::files::FileError),
}

/// How long until a server that cannot be reached is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Takes runs until it is told to stop; a run in hand is given back then.
///
/// # Errors
/// When the server refuses it, or its folder cannot be made.
pub async fn work(options: RunnerOptions, mut stop: watch::Receiver<bool>) -> Result<(), RunnerError> {
    base::files::make_folder(&options.work, 0o700)?;
    let link = Link::new(&options);
    let instance = base::ids::hex(&base::ids::random::<16>());
    let mut unreached = false;
    while !*stop.borrow() && !(options.leaves)() {
        let taken = tokio::select! {
            taken = link.take(&options.name, &instance) => taken,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match taken {
            Ok(None) => unreached = false,
            Ok(Some(job)) => {
                unreached = false;
                let id = job.taken.run.id;
                let run = &job.taken.run;
                let project = if run.project.is_root() { String::new() } else { format!("/{}", run.project) };
                (options.say)(&format!("run {id}: {}{project} {} for {}", run.repository, run.branch, run.environment));
                let end = job::go(&options, &link, *job, stop.clone()).await;
                (options.say)(&format!("run {id}: {end}"));
            }
            Err(LinkError::Refused(why)) => return Err(RunnerError::Refused(options.server.origin.to_string(), why)),
            Err(error) => {
                if !unreached {
                    (options.say)(&format!("{error}; asked again until it answers"));
                }
                unreached = true;
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    Ok(())
}
