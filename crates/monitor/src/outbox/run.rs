//! The outbox at work: files are found, tellings sent, and what came of them written down.

use super::queue::{Action, Entry, Observation, Queue, Which, step};
use super::{Outbox, OutboxError, disk, queue};
use crate::notifiers::{LONGEST_SENDING, Parcel};
use crate::{Book, Notifier, Refusal};
use base::Clock;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is looked for what other processes put.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was told long ago is forgotten.
const TIDY: Duration = Duration::from_secs(3_600);

/// Hears how a telling stands, and of which notice.
pub type Said = Arc<dyn Fn(&queue::Telling, &crate::Notice) + Send + Sync>;

/// Hears what is wrong with the outbox itself, a line each, once.
pub type Warned = Arc<dyn Fn(&str) + Send + Sync>;

/// What the outbox needs to send.
#[derive(Clone)]
pub struct Sending {
    /// The ways of telling somebody.
    pub notifiers: &'static [Notifier],
    /// Who is meant by a name.
    pub book: Arc<dyn Book>,
    /// For what goes over HTTP.
    pub http: net::client::Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Scatters the waits.
    pub seed: u64,
    /// Told of each telling that came to an end or failed.
    pub say: Said,
    /// Told of files that cannot be read.
    pub warn: Warned,
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sending")
    }
}

struct Running {
    outbox: Outbox,
    with: Sending,
    queue: Queue,
    seen: mpsc::UnboundedReceiver<(Which, Result<(), Refusal>)>,
    report: mpsc::UnboundedSender<(Which, Result<(), Refusal>)>,
    /// Files that are no notices; they are looked at once.
    broken: BTreeSet<String>,
    /// What was warned of.
    warned: BTreeSet<String>,
}

impl Outbox {
    /// Sends what waits, and what is put, for as long as it is polled. Waits while another process sends from the same folder. May be
    /// dropped at any moment: what was on its way is sent again by the next one.
    ///
    /// # Errors
    /// When the folder can no longer be read or written.
    pub async fn run(&self, with: Sending) -> Result<std::convert::Infallible, OutboxError> {
        let _sender = loop {
            if let Some(sender) = self.disk.sender()? {
                break sender;
            }
            tokio::time::sleep(LOOK).await;
        };
        let (report, seen) = mpsc::unbounded_channel();
        let queue = Queue::new(with.seed);
        let mut running = Running { outbox: self.clone(), with, queue, seen, report, broken: BTreeSet::new(), warned: BTreeSet::new() };
        let mut tidied = None;
        loop {
            let now = running.with.clock.now();
            if tidied.is_none_or(|before| now.since(before) >= TIDY) {
                running.outbox.disk.tidy(now)?;
                tidied = Some(now);
            }
            running.look()?;
            running.wait().await?;
        }
    }
}

impl Running {
    /// Takes up what lies in the folder.
    fn look(&mut self) -> Result<(), OutboxError> {
        let disk = self.outbox.disk.clone();
        for id in disk.ids(disk::WAITING)? {
            if self.queue.knows(&id) || self.broken.contains(&id) {
                continue;
            }
            match disk.read(disk::WAITING, &id) {
                Ok(Some(entry)) if !disk.has_ended(&id, &entry)? => self.on(Observation::Found(id, Box::new(entry)))?,
                Ok(_) => {}
                // It is looked at again: there may be too many open files just now.
                Err(error @ OutboxError::File(_)) => self.warn(&error),
                Err(error) => {
                    self.warn(&error);
                    self.broken.insert(id);
                }
            }
        }
        self.on(Observation::Tick)
    }

    fn warn(&mut self, error: &OutboxError) {
        let message = error.to_string();
        if !self.warned.contains(&message) {
            (self.with.warn)(&message);
            self.warned.insert(message);
        }
    }

    /// Until something was seen, something was put, or it is time to look.
    async fn wait(&mut self) -> Result<(), OutboxError> {
        let due = self.queue.next().map_or(LOOK, |next| next.since(self.with.clock.now()));
        tokio::select! {
            Some((which, done)) = self.seen.recv() => {
                let seen = match done {
                    Ok(()) => Observation::Taken(which),
                    Err(refusal) => Observation::Refused(which, refusal),
                };
                self.on(seen)?;
            }
            () = self.outbox.wake.notified() => {}
            () = tokio::time::sleep(due.min(LOOK)) => {}
        }
        Ok(())
    }

    fn on(&mut self, observation: Observation) -> Result<(), OutboxError> {
        let about = match &observation {
            Observation::Taken(which) | Observation::Refused(which, _) => Some(which.clone()),
            Observation::Found(..) | Observation::Tick => None,
        };
        let (queue, actions) = step(std::mem::take(&mut self.queue), observation, self.with.clock.now());
        self.queue = queue;
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Keep(id, entry) => {
                    self.outbox.disk.keep(&id, &entry)?;
                    self.tell(about.as_ref(), &entry);
                }
                Action::Close(id, entry) => {
                    self.outbox.disk.close(&id, &entry)?;
                    self.tell(about.as_ref(), &entry);
                }
                Action::Send(which, entry) => self.send(which, entry),
            }
        }
        Ok(())
    }

    fn tell(&self, about: Option<&Which>, entry: &Entry) {
        if let Some(telling) = about.and_then(|(_, index)| entry.tellings.get(*index)) {
            (self.with.say)(telling, &entry.notice);
        }
    }

    fn send(&self, which: Which, entry: Box<Entry>) {
        let (with, report) = (self.with.clone(), self.report.clone());
        tokio::spawn(async move {
            let done = tokio::time::timeout(LONGEST_SENDING, send_one(&with, &which, &entry)).await;
            let slow = || Refusal::passing(format!("it was not taken within {} s", LONGEST_SENDING.as_secs()));
            let _ = report.send((which, done.unwrap_or_else(|_| Err(slow()))));
        });
    }
}

async fn send_one(with: &Sending, which: &Which, entry: &Entry) -> Result<(), Refusal> {
    let Some(telling) = entry.tellings.get(which.1) else { return Err(Refusal::lasting("it is for nobody")) };
    let receiver = with.book.receiver(&telling.receiver).map_err(Refusal::lasting)?;
    let notifier = with.notifiers.iter().find(|notifier| (notifier.serves)(&receiver));
    let notifier = notifier.ok_or_else(|| Refusal::lasting(format!("`{}` is told in no known way", receiver.name)))?;
    let parcel = Parcel { id: &which.0, notice: &entry.notice, receiver: &receiver, address: &telling.address, http: &with.http };
    (notifier.send)(&parcel).await
}
