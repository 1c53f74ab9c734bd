//! The outbox at work: files are found, tellings sent, and what came of them written down.

use super::queue::{Action, Entry, Observation, Queue, Which, step};
use super::{Outbox, OutboxError, disk, queue};
use crate::notifiers::{LONGEST_SENDING, Parcel};
use crate::{Book, Notifier, Refusal};
use base::{Clock, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is looked for what other processes put.
const LOOK: Duration = Duration::from_secs(1);
/// How long what is on its way is waited for when the process ends.
const LEAVE: Duration = Duration::from_secs(10);
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
    /// Told of files that cannot be read or written.
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
    /// How entries stand that could not be written.
    unwritten: BTreeMap<String, Box<Entry>>,
    /// When what was told long ago was forgotten.
    tidied: Option<Timestamp>,
}

impl Outbox {
    /// Sends what waits, and what is put, until it is asked to stop; then what is on its way is waited for, 10 s at most. Waits while
    /// another process sends from the same folder. Where it is dropped, what was on its way is sent again by the next one.
    ///
    /// # Errors
    /// When there is no such folder any more. Of what else cannot be read or written is warned, and it is tried again.
    pub async fn run(&self, with: Sending, stop: impl Future<Output = ()>) -> Result<(), OutboxError> {
        let mut stop = pin!(stop);
        let _sender = loop {
            if let Some(sender) = self.disk.sender()? {
                break sender;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = &mut stop => return Ok(()),
            }
        };
        let mut running = Running::new(self.clone(), with);
        while !running.outbox.disk.is_gone() {
            running.look();
            tokio::select! {
                () = running.wait() => {}
                () = &mut stop => {
                    running.leave().await;
                    return Ok(());
                }
            }
        }
        self.disk.ids(disk::WAITING).map(|_| ())
    }
}

impl Running {
    fn new(outbox: Outbox, with: Sending) -> Self {
        let (report, seen) = mpsc::unbounded_channel();
        let queue = Queue::new(with.seed);
        let (broken, warned, unwritten) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { outbox, with, queue, seen, report, broken, warned, unwritten, tidied: None }
    }

    /// Takes up what lies in the folder.
    fn look(&mut self) {
        let now = self.with.clock.now();
        if self.tidied.is_none_or(|before| now.since(before) >= TIDY) {
            self.outbox.disk.tidy(now).unwrap_or_else(|error| self.warn(&error));
            self.tidied = Some(now);
        }
        self.write_again();
        for id in self.outbox.disk.ids(disk::WAITING).unwrap_or_else(|error| {
            self.warn(&error);
            BTreeSet::new()
        }) {
            // What has ended lies there until that is written down.
            if !self.queue.knows(&id) && !self.broken.contains(&id) && !self.unwritten.contains_key(&id) {
                self.take_up(id);
            }
        }
        self.on(Observation::Tick);
    }

    fn take_up(&mut self, id: String) {
        let disk = &self.outbox.disk;
        let read = disk.read(disk::WAITING, &id).and_then(|entry| {
            let Some(entry) = entry else { return Ok(None) };
            Ok(if disk.has_ended(&id, &entry)? { None } else { Some(entry) })
        });
        match read {
            Ok(Some(entry)) => self.on(Observation::Found(id, Box::new(entry))),
            Ok(None) => {}
            // It is looked at again: there may be too many open files just now.
            Err(error @ OutboxError::File(_)) => self.warn(&error),
            Err(error) => {
                self.warn(&error);
                self.broken.insert(id);
            }
        }
    }

    /// Until what is on its way has come to an end and that is written down.
    async fn leave(&mut self) {
        self.on(Observation::Leave);
        let until = tokio::time::Instant::now() + LEAVE;
        while !(self.queue.is_idle() && self.unwritten.is_empty()) && tokio::time::Instant::now() < until {
            self.write_again();
            self.wait().await;
        }
    }

    fn warn(&mut self, error: &OutboxError) {
        let message = error.to_string();
        if !self.warned.contains(&message) {
            (self.with.warn)(&message);
            self.warned.insert(message);
        }
    }

    /// Until something was seen, something was put, or it is time to look.
    async fn wait(&mut self) {
        let due = self.queue.next().map_or(LOOK, |next| next.since(self.with.clock.now()));
        tokio::select! {
            Some((which, done)) = self.seen.recv() => self.on(match done {
                Ok(()) => Observation::Taken(which),
                Err(refusal) => Observation::Refused(which, refusal),
            }),
            () = self.outbox.wake.notified() => {}
            () = tokio::time::sleep(due.min(LOOK)) => {}
        }
    }

    fn on(&mut self, observation: Observation) {
        let about = match &observation {
            Observation::Taken(which) | Observation::Refused(which, _) => Some(which.clone()),
            _ => None,
        };
        for action in self.step(observation) {
            match action {
                Action::Keep(id, entry) | Action::Close(id, entry) => {
                    self.tell(about.as_ref(), &entry);
                    self.write(id, entry);
                }
                // Where there is no room to write that it was taken, it is not told: it would be told again.
                Action::Send(which, entry) => {
                    if self.unwritten.is_empty() && self.write(which.0.clone(), entry.clone()) {
                        self.send(which, entry);
                    } else {
                        self.step(Observation::Unwritten(Some(which)));
                    }
                }
            }
        }
    }

    fn step(&mut self, observation: Observation) -> Vec<Action> {
        let (queue, actions) = step(std::mem::take(&mut self.queue), observation, self.with.clock.now());
        self.queue = queue;
        actions
    }

    /// Writes how an entry stands; what cannot be written is kept in memory and nothing is sent until it can.
    fn write(&mut self, id: String, entry: Box<Entry>) -> bool {
        let disk = &self.outbox.disk;
        let written = if entry.has_ended() { disk.close(&id, &entry) } else { disk.keep(&id, &entry) };
        let Err(error) = written else { return true };
        self.warn(&error);
        self.unwritten.insert(id, entry);
        self.step(Observation::Unwritten(None));
        false
    }

    fn write_again(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        for (id, entry) in std::mem::take(&mut self.unwritten) {
            self.write(id, entry);
        }
        if self.unwritten.is_empty() {
            self.warned.clear();
            self.on(Observation::Written);
        }
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
