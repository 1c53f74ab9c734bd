//! Who is told of what happens: an outbox and a book for each who tells, so that nobody's notices go to another's addresses or with
//! another's secrets, though all are in one home.

mod book;
mod notices;
mod runs;

pub use notices::of_run;
pub use runs::Told;

use crate::context::Context;
use crate::settings::{About, Notify};
use base::{Problem, ProblemKind, SystemClock};
use book::OwnBook;
use monitor::outbox::{Listing, Said, Sending, Warned};
use monitor::{NOTIFIERS, Notice, NoticeKind, Outbox, OutboxError, Put, To};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who tells.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The monitor of a project in an environment.
    Monitor {
        /// The project.
        project: &'a str,
        /// The environment.
        environment: &'a str,
    },
    /// The pipeline's server with this folder.
    Server(&'a Path),
}

impl Source<'_> {
    /// Its folder's name.
    fn name(self, home: &Path) -> String {
        let name = match self {
            Self::Monitor { project, environment } => format!("monitor.{}.{}", file_name(project), file_name(environment)),
            // A home that is moved takes those below it along.
            Self::Server(root) => {
                let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
                let root = absolute(root);
                format!("ci.{}", file_name(&root.strip_prefix(absolute(home)).unwrap_or(&root).to_string_lossy()))
            }
        };
        if name.len() > LONGEST_NAME { monitor::outbox::id(&name) } else { name }
    }
}

/// Any name as part of a file's.
pub fn file_name(name: &str) -> String {
    name.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

fn outboxes(home: &Path) -> PathBuf {
    home.join("notices").join("outboxes")
}

/// Everything that waits in a home and was told, by who tells.
///
/// # Errors
/// When a folder cannot be read.
pub fn list(home: &Path) -> Result<Vec<(String, Listing)>, Problem> {
    let folder = outboxes(home);
    let names = match std::fs::read_dir(&folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Problem::new(ProblemKind::Host, format!("cannot list {}: {error}", folder.display()))),
    };
    let mut names: Vec<String> = names.flatten().filter_map(|name| name.file_name().into_string().ok()).collect();
    names.sort();
    let listed = names.into_iter().map(|name| {
        let listing = Outbox::open(&folder.join(&name)).and_then(|outbox| outbox.list()).map_err(problem)?;
        Ok((name, listing))
    });
    listed.collect()
}

/// The longest name of an outbox's folder; of a longer one its digest stands there.
const LONGEST_NAME: usize = 200;

/// The outbox of one who tells, and the book of whom.
#[derive(Clone)]
pub struct Office {
    outbox: Outbox,
    book: Arc<OwnBook>,
}

impl Office {
    /// The office of one who tells.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn open(home: &Path, source: Source<'_>) -> Result<Self, Problem> {
        let outbox = Outbox::open(&outboxes(home).join(source.name(home))).map_err(problem)?;
        Ok(Self { outbox, book: Arc::default() })
    }

    /// Says who is told from now on. Paths in it are relative to `folder`.
    pub fn introduce(&self, notify: &BTreeMap<String, Notify>, folder: &Path) {
        self.book.write(notify, folder);
    }

    /// Whether somebody of this name stands in the book.
    #[cfg(test)]
    pub(crate) fn knows(&self, name: &str) -> bool {
        monitor::Book::receiver(&*self.book, name).is_ok()
    }

    /// Tells everybody of a project's `notify` who wants to know of such things.
    ///
    /// # Errors
    /// When it cannot be written down, or nobody has taken anything for long.
    pub fn tell(&self, notify: &BTreeMap<String, Notify>, notice: &Notice) -> Result<Put, Problem> {
        let wants = |one: &&Notify| match notice.kind {
            NoticeKind::RunFailed => one.about.is_empty() || one.about.contains(&About::RunFailed),
            NoticeKind::NewAdvisory => one.about.is_empty() || one.about.contains(&About::NewAdvisory),
            // Those whom a check names.
            NoticeKind::Down | NoticeKind::Up => false,
        };
        let to: Vec<To> = notify.iter().filter(|(_, one)| wants(one)).flat_map(|(name, one)| To::each(name, &one.to)).collect();
        self.outbox.put(notice, &to, &SystemClock).map_err(problem)
    }

    /// Sends what waits and what comes until it is asked to stop, and hears of what is on its way then.
    ///
    /// # Errors
    /// When the outbox is gone.
    pub async fn send(&self, context: &Context, stop: impl Future<Output = ()>) -> Result<(), Problem> {
        let options = net::client::ClientOptions { proxies: crate::registries::proxies(), ..Default::default() };
        let sending = Sending {
            notifiers: NOTIFIERS,
            book: self.book.clone(),
            http: net::client::Client::new(options),
            clock: Arc::new(SystemClock),
            seed: u64::from_le_bytes(base::ids::random()),
            say: said(context),
            warn: warned(context),
        };
        self.outbox.run(sending, stop).await.map_err(problem)
    }
}

/// Until somebody asks to stop, or nobody can any more.
pub async fn stopped(mut stopping: tokio::sync::watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn warned(context: &Context) -> Warned {
    let output = context.output.clone();
    Arc::new(move |message| output.warning(message))
}

/// How tellings are told to whoever watches the sender: a line each, or an event.
fn said(context: &Context) -> Said {
    let output = context.output.clone();
    Arc::new(move |telling, notice| {
        let who = if telling.address.is_empty() { telling.receiver.clone() } else { format!("{} ({})", telling.receiver, telling.address) };
        if output.is_json() {
            output.json(&serde_json::json!({"told": telling, "key": notice.key, "kind": notice.kind, "subject": notice.subject}));
        } else if let Some(why) = &telling.why {
            output.warning(&format!("{who} was not told of `{}`: {why}", notice.subject));
        } else {
            output.say(&crate::output::printable(&format!("told {who}: {}", notice.line())));
        }
    })
}

fn problem(error: OutboxError) -> Problem {
    let problem = Problem::new(ProblemKind::Host, error.to_string());
    if matches!(error, OutboxError::Full) { problem.hint("`wharf alerts` says why; `wharf monitor` sends them") } else { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tells_of_one_home_knows_nothing_of_what_others_tell() {
        let home = std::env::temp_dir().join(format!("wharf-office-{}", base::ids::suffix(8)));
        let root = home.join("ci");
        let sources = [
            Source::Monitor { project: "jobs", environment: "prod" },
            Source::Monitor { project: "jobs", environment: "prod/eu" },
            Source::Server(&root),
            Source::Server(Path::new("/srv/ci")),
        ];
        let notify: BTreeMap<String, Notify> =
            [("ops".to_owned(), Notify { webhook: Some("https://example.com".to_owned()), ..Notify::default() })].into();
        let notice = Notice {
            key: "run/jobs/1".to_owned(),
            kind: NoticeKind::RunFailed,
            project: "jobs".to_owned(),
            subject: "s".to_owned(),
            text: String::new(),
            findings: Vec::new(),
            url: None,
            at: base::Timestamp::default(),
        };
        for source in sources {
            let office = Office::open(&home, source).expect("open");
            assert_eq!(office.tell(&notify, &notice).expect("put"), Put::Waiting, "{source:?}");
        }
        let names: Vec<String> = list(&home).expect("listed").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ci.%2fsrv%2fci", "ci.ci", "monitor.jobs.prod", "monitor.jobs.prod%2feu"]);
        std::fs::remove_dir_all(home).expect("removed");
    }
}
