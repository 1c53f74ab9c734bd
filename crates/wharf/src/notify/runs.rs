//! Runs of a server that failed: told as they end, and those that ended while nobody looked.

use super::{Office, Source as NoticeSource, of_run, stopped};
use crate::context::Context;
use crate::output::Output;
use crate::settings::{Notify, Source, read};
use base::{Clock, Problem, ProblemKind, SystemClock};
use ci::{Change, Filter, Run, RunId, RunState, Runs};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs that ended longer ago are not told of when a server starts.
const NEWS: Duration = Duration::from_secs(86_400);
/// Runs that are looked at when a server starts.
const MOST: usize = 500;

/// How long it takes until what went wrong is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Whom the operator of a server wants to be told: the `notify` of a file like `wharf.yaml`. What is pushed has no say in it, for
/// secrets are read where it says.
pub struct Told {
    notify: BTreeMap<String, Notify>,
    folder: PathBuf,
}

impl Told {
    /// Reads the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let wrong = |error: base::files::FileError| Problem::new(ProblemKind::Usage, error.to_string());
        let bytes = base::files::read_up_to(path, 1 << 20).map_err(wrong)?;
        let file = Source { name: path.display().to_string(), text: String::from_utf8_lossy(&bytes).into_owned() };
        let (settings, _) = read(Some(&file), None, &[], "project: unknown\n")
            .map_err(|findings| Problem::new(ProblemKind::Usage, format!("`{}` has errors", path.display())).with_findings(findings))?;
        if settings.notify.is_empty() {
            return Err(Problem::new(ProblemKind::Usage, format!("`{}` says nobody who is told", path.display()))
                .hint("write `notify:` as in wharf.yaml"));
        }
        let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default();
        Ok(Self { notify: settings.notify, folder })
    }

    /// Tells of runs that fail and sends what waits, until it is asked to stop. What goes wrong with the notices is warned of and tried
    /// again: a server does its runs all the same.
    pub async fn watch(self, context: &Context, root: &Path, runs: &Runs, url: &str, stopping: tokio::sync::watch::Receiver<bool>) {
        loop {
            let ended = match Office::open(&context.home, NoticeSource::Server(root)) {
                Ok(office) => {
                    office.introduce(&self.notify, &self.folder);
                    tokio::select! {
                        never = self.failing(&context.output, &office, runs, url) => match never {},
                        ended = office.send(context, stopped(stopping.clone())) => ended,
                    }
                }
                Err(problem) => Err(problem),
            };
            let Err(problem) = ended else { return };
            context.output.warning(&format!("nobody is told of runs just now: {}", problem.message));
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stopped(stopping.clone()) => return,
            }
        }
    }

    async fn failing(&self, output: &Output, office: &Office, runs: &Runs, url: &str) -> Infallible {
        let mut changes = runs.watch();
        let (mut seen, mut failed): (_, Option<String>) = (None, None);
        loop {
            let told = match seen {
                Some(id) => self.one(office, runs, id, url),
                None => self.all(office, runs, url),
            };
            let why = told.err().map(|problem| problem.message);
            if let Some(why) = why.as_ref().filter(|why| failed.as_ref() != Some(why)) {
                output.warning(&format!("a run that failed is not told of yet: {why}"));
            }
            failed = why;
            seen = if failed.is_some() {
                // All again, then: those that were taken are known.
                tokio::time::sleep(AGAIN).await;
                None
            } else {
                next(&mut changes).await
            };
        }
    }

    /// A key is told once: those that were told are known.
    fn all(&self, office: &Office, runs: &Runs, url: &str) -> Result<(), Problem> {
        let now = SystemClock.now();
        let recent = |run: &Run| run.ended.is_some_and(|ended| now.since(ended) < NEWS);
        let ended = runs.list(&Filter::default(), None, MOST);
        ended.iter().filter(|run| recent(run)).try_for_each(|run| self.one(office, runs, run.id, url))
    }

    fn one(&self, office: &Office, runs: &Runs, id: RunId, url: &str) -> Result<(), Problem> {
        let run = runs.get(id).ok().flatten().filter(|run| matches!(run.state, RunState::Failed | RunState::Lost));
        let Some(run) = run else { return Ok(()) };
        office.tell(&self.notify, &of_run(&run, Some(format!("{url}/runs/{id}")))).map(|_| ())
    }
}

/// The run that changed; none where some were missed.
async fn next(changes: &mut ci::Changes) -> Option<RunId> {
    loop {
        match changes.next().await {
            Some(Change::Run(id)) => return Some(id),
            Some(Change::Missed) => return None,
            Some(Change::Lines { .. }) => {}
            None => std::future::pending().await,
        }
    }
}
