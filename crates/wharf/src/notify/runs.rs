//! Runs of a server that failed: told as they end, and those that ended while nobody looked.

use super::{Office, of_run};
use crate::context::Context;
use crate::settings::{Notify, Source, read};
use base::{Clock, Problem, ProblemKind, SystemClock};
use ci::{Change, Filter, Run, RunId, RunState, Runs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs that ended longer ago are not told of when a server starts.
const NEWS: Duration = Duration::from_secs(86_400);
/// Runs that are looked at when a server starts.
const MOST: usize = 500;

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

    /// Tells of runs that fail and sends what waits, for as long as it is polled.
    ///
    /// # Errors
    /// When the outbox can no longer be read or written.
    pub async fn watch(self, context: &Context, runs: &Runs, url: &str) -> Result<std::convert::Infallible, Problem> {
        let office = Office::open(&context.home)?;
        let failing = async {
            let mut changes = runs.watch();
            self.all(&office, runs, url)?;
            while let Some(change) = changes.next().await {
                match change {
                    Change::Run(id) => self.one(&office, runs, id, url)?,
                    Change::Missed => self.all(&office, runs, url)?,
                    Change::Lines { .. } => {}
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = failing => ended,
            ended = office.send(super::said(context)) => ended,
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
        office.introduce(&run.repository, &self.notify, &self.folder)?;
        office.tell(&self.notify, &of_run(&run, Some(format!("{url}/runs/{id}")))).map(|_| ())
    }
}
