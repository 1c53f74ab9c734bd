//! Who is told of what happens: the project's `notify` kept where every process of this home finds it, and the outbox.
//!
//! What is kept are addresses and the places of secrets; secrets themselves are read when something is sent.

mod book;
mod notices;
mod runs;

pub use notices::of_run;
pub use runs::Told;

use crate::context::Context;
use crate::settings::{About, Notify};
use base::{Problem, ProblemKind, SystemClock};
use book::HomeBook;
use monitor::outbox::{Said, Sending, Warned};
use monitor::{NOTIFIERS, Notice, NoticeKind, Outbox, OutboxError, Put, To};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The outbox of a home, and who stands in its book.
#[derive(Clone)]
pub struct Office {
    outbox: Outbox,
    folder: PathBuf,
}

impl Office {
    /// The office of a home.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn open(home: &Path) -> Result<Self, Problem> {
        let folder = home.join("notices");
        Ok(Self { outbox: Outbox::open(&folder).map_err(problem)?, folder })
    }

    /// Writes down who is told for a project, for whoever sends. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn introduce(&self, project: &str, notify: &BTreeMap<String, Notify>, folder: &Path) -> Result<(), Problem> {
        book::write(&self.folder, project, notify, folder)
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

    /// Sends what waits and what comes, for as long as it is polled.
    ///
    /// # Errors
    /// When the outbox can no longer be read or written.
    pub async fn send(&self, context: &Context) -> Result<std::convert::Infallible, Problem> {
        let options = net::client::ClientOptions { proxies: crate::registries::proxies(), ..Default::default() };
        let sending = Sending {
            notifiers: NOTIFIERS,
            book: Arc::new(HomeBook::new(&self.folder)),
            http: net::client::Client::new(options),
            clock: Arc::new(SystemClock),
            seed: u64::from_le_bytes(base::ids::random()),
            say: said(context),
            warn: warned(context),
        };
        self.outbox.run(sending).await.map_err(problem)
    }

    /// Everything that waits and was told.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<monitor::outbox::Listing, Problem> {
        self.outbox.list().map_err(problem)
    }
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
