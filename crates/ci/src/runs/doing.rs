//! Runners: they ask for runs, say what happens, and end them.

use super::apply;
use super::kept::{self, Doing, Kept, Work};
use super::{Change, Runs, RunsError};
use crate::event::Event;
use crate::queue::{Action, Asker, Attempt, Observation};
use crate::run::{Artefact, Cause, Run, RunId, RunState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// A run that a runner got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The run.
    pub run: Run,
    /// What is to be done.
    pub work: Work,
    /// For all that is said of it.
    pub token: String,
    /// A runner whose words do not arrive for so long has lost the run and ends what it does, in milliseconds.
    pub silence_ms: u64,
}

/// One thing that a runner says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// A line of the command's standard output, as [`Event`] reads it.
    Out(String),
    /// A line of talk.
    Err(String),
    /// The command is over.
    Ended {
        /// Its exit code; none where a signal ended it.
        #[serde(default)]
        code: Option<u8>,
        /// Why it could not be done, where the command itself said nothing of it.
        #[serde(default)]
        cause: Option<Cause>,
    },
}

/// What a runner is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How much was taken of what it said: the number of the next.
    pub next: u64,
    /// Whether it is to end the run.
    #[serde(default)]
    pub stop: bool,
}

impl Runs {
    /// The next run for a runner; waits for one. `None` when there was none in that time.
    pub async fn take(&self, runner: &str, instance: &str, patience: Duration) -> Option<Taken> {
        let (sender, mut receiver) = oneshot::channel();
        let token = base::ids::hex(&base::ids::random::<32>());
        let number = {
            let mut book = self.book();
            book.questions += 1;
            let number = book.questions;
            book.askers.insert(number, sender);
            number
        };
        let leaving = Leaving { runs: self, number };
        let actions = self.observe(Observation::Asks(Asker { number, instance: instance.to_owned(), token }));
        self.carry_out(actions).await;
        let taken = match tokio::time::timeout(patience, &mut receiver).await {
            Ok(taken) => taken.ok(),
            Err(_) => None,
        };
        drop(leaving);
        // It may have come while we left.
        let taken = taken.or_else(|| receiver.try_recv().ok())?;
        self.name_runner(taken.run.id, &taken.token, runner).await;
        Some(Taken { run: Run { runner: Some(runner.to_owned()), ..taken.run }, ..taken })
    }

    async fn name_runner(&self, id: RunId, token: &str, runner: &str) {
        let Some(live) = self.live(id) else { return };
        let mut kept = live.lock().await;
        if kept.doing.as_ref().is_some_and(|doing| doing.token == token) {
            kept.run.runner = Some(runner.to_owned());
            // Only a name: what could not be kept of it is missed by nobody.
            let _ = self.save(&kept).await;
        }
    }

    /// Takes what a runner says, from a number on, each once; also nothing, which only says that it lives.
    ///
    /// # Errors
    /// When the run is not the runner's any more, or nothing can be kept: then nothing of it was taken.
    pub async fn say(&self, id: RunId, token: &str, from: u64, said: Vec<Said>) -> Result<Told, RunsError> {
        let live = self.live(id).ok_or(RunsError::NotYours(id))?;
        let mut kept = live.lock().await;
        let token = || token.to_owned();
        let mut stop = false;
        for action in self.observe(Observation::Heard { id, token: token() }) {
            match action {
                Action::Refuse(_) => return Err(RunsError::NotYours(id)),
                Action::Stop(_) => stop = true,
                _ => {}
            }
        }
        let Some(taken) = kept.doing.as_ref().map(|doing| doing.taken) else { return Err(RunsError::NotYours(id)) };
        let new: Vec<Said> = if from <= taken {
            let known = usize::try_from(taken - from).unwrap_or(usize::MAX);
            said.into_iter().skip(known).collect()
        } else {
            // Something in between is missing: it is to be said first.
            Vec::new()
        };
        let next = taken + new.len() as u64;
        if new.is_empty() {
            return Ok(Told { next, stop });
        }
        let mut after = kept.clone();
        let lines = self.take_in(&mut after, new)?;
        if let Some(doing) = &mut after.doing {
            doing.taken = next;
        }
        let over = after.run.state.has_ended();
        let mut actions = Vec::new();
        if over {
            // The queue lets go of it only once all else that may fail is done: a runner that hears an error says it again.
            after.slim_down(&self.inner.folder)?;
            actions = self.observe(Observation::Ended { id, token: token() });
            if actions.contains(&Action::Refuse(id)) {
                return Err(RunsError::NotYours(id));
            }
        }
        self.save(&after).await?;
        *kept = after;
        drop(kept);
        for (stage, lines) in lines {
            self.tell(Change::Lines { run: id, stage, lines });
        }
        if over {
            self.book().live.remove(&id);
        }
        // In a task of its own only where there is something: this runner waits for its answer.
        self.carry_out(actions).await;
        Ok(Told { next, stop })
    }

    fn take_in(&self, kept: &mut Kept, said: Vec<Said>) -> Result<BTreeMap<String, u64>, RunsError> {
        let now = self.now();
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for said in said {
            let line = match said {
                Said::Out(line) => apply::apply(&mut kept.run, Event::parse(&line), now),
                Said::Err(line) => apply::at(&kept.run).map(|stage| (stage, line)),
                Said::Ended { code, cause } => {
                    let state = match (code, &kept.cancelled) {
                        (Some(0), _) => RunState::Passed,
                        (_, Some(_)) => RunState::Cancelled,
                        _ => RunState::Failed,
                    };
                    if state == RunState::Failed && kept.run.cause.is_none() {
                        kept.run.cause = cause.or_else(|| Some(silent_end(code)));
                    }
                    apply::end(&mut kept.run, state, now);
                    break;
                }
            };
            if let Some((stage, line)) = line {
                lines.entry(stage).or_default().push(line);
            }
        }
        let mut lengths = BTreeMap::new();
        for (stage, lines) in lines {
            let total = kept.logs.add(&self.inner.folder, kept.run.id, &stage, &lines, self.inner.options.log_bytes)?;
            if let Some(stage) = kept.run.stages.iter_mut().find(|known| known.name == stage) {
                stage.lines = total;
            }
            lengths.insert(stage, total);
        }
        Ok(lengths)
    }

    /// A runner leaves and did not end its run: another one does, as if this one had not begun.
    ///
    /// # Errors
    /// When the run is not the runner's.
    pub async fn give_back(&self, id: RunId, token: &str) -> Result<(), RunsError> {
        let actions = self.observe(Observation::Returned { id, token: token.to_owned() });
        if actions.contains(&Action::Refuse(id)) {
            return Err(RunsError::NotYours(id));
        }
        self.carry_out(actions).await;
        Ok(())
    }

    /// Looks after runners that fell silent; to be called every second or so.
    pub async fn tick(&self) {
        let actions = self.observe(Observation::Tick);
        self.carry_out(actions).await;
    }

    /// Keeps a file that a run left.
    ///
    /// # Errors
    /// When the run is not the runner's, the name cannot be a file's, it is too large, or nothing can be kept.
    pub async fn keep(&self, id: RunId, token: &str, artefact: Artefact, content: &[u8]) -> Result<(), RunsError> {
        let limit = self.inner.options.artefact_bytes;
        if content.len() as u64 > limit {
            return Err(RunsError::TooLarge { what: format!("`{}`", artefact.name), limit });
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if artefact.name.is_empty() || artefact.name.len() > 100 || artefact.name.starts_with('.') || !artefact.name.bytes().all(plain) {
            return Err(RunsError::Name(artefact.name));
        }
        let live = self.live(id).ok_or(RunsError::NotYours(id))?;
        let mut kept = live.lock().await;
        if self.observe(Observation::Heard { id, token: token.to_owned() }).contains(&Action::Refuse(id)) {
            return Err(RunsError::NotYours(id));
        }
        let folder = kept::folder(&self.inner.folder, id).join("artefacts");
        base::files::make_folder(&folder, 0o700)?;
        base::files::write_atomically(&folder.join(&artefact.name), content, 0o600)?;
        kept.run.artefacts.retain(|known| known.name != artefact.name);
        if kept.run.artefacts.len() < 32 {
            kept.run.artefacts.push(artefact);
        }
        self.save(&kept).await
    }

    /// Does what the queue decided.
    pub(super) async fn carry_out(&self, actions: Vec<Action>) {
        let mut left = std::collections::VecDeque::from(actions);
        while let Some(action) = left.pop_front() {
            match action {
                Action::Give { asker, id, attempt } => self.give(asker, id, attempt, true).await,
                Action::GiveAgain { asker, id, attempt } => self.give(asker, id, attempt, false).await,
                Action::Again(id) => {
                    let why =
                        |runner: &str| format!("nothing was heard of the runner `{runner}` any more: the run is given to another one");
                    self.wait_again(id, why).await;
                }
                Action::Return(id) => {
                    self.wait_again(id, |runner| format!("the runner `{runner}` leaves: the run is given to another one")).await;
                }
                Action::Lose(id) => {
                    self.over(id, RunState::Lost, "its runners died: it was given to two, and none ended it").await;
                }
                Action::Cancel(id) => self.over(id, RunState::Cancelled, "").await,
                // For whoever spoke: `say` has seen it.
                Action::Refuse(_) | Action::Stop(_) => {}
            }
        }
    }

    async fn give(&self, asker: u64, id: RunId, attempt: Attempt, is_new: bool) {
        let Some(live) = self.live(id) else { return };
        let mut kept = live.lock().await;
        if is_new {
            kept.run.state = RunState::Running;
            kept.run.attempt = attempt.number;
            kept.run.began = Some(self.now());
            kept.doing = Some(Doing { token: attempt.token.clone(), instance: attempt.instance, taken: 0 });
            if self.save(&kept).await.is_err() {
                // The store has stopped: nobody gets anything any more.
                return;
            }
        }
        let silence_ms = u64::try_from(self.inner.options.patience.silence.as_millis()).unwrap_or(u64::MAX);
        let taken = Taken { run: kept.run.clone(), work: kept.work.clone(), token: attempt.token, silence_ms };
        let sender = self.book().askers.remove(&asker);
        if let Some(sender) = sender {
            // Who is gone by now asks again, and gets it again.
            let _ = sender.send(taken);
        }
    }

    async fn wait_again(&self, id: RunId, why: impl FnOnce(&str) -> String) {
        let changed = self.change(id, |kept, _| {
            let runner = kept.run.runner.take().unwrap_or_default();
            kept.doing = None;
            apply::begin_again(&mut kept.run);
            Some(why(&runner))
        });
        changed.await;
    }

    async fn over(&self, id: RunId, state: RunState, why: &str) {
        let folder = self.inner.folder.clone();
        let changed = self.change(id, |kept, now| {
            if !why.is_empty() {
                kept.run.cause = Some(Cause {
                    kind: "host".to_owned(),
                    message: why.to_owned(),
                    hints: vec!["see that the runners have what they need, then retry the run".to_owned()],
                    exit_code: 5,
                });
            }
            kept.doing = None;
            apply::end(&mut kept.run, state, now);
            (!why.is_empty()).then(|| why.to_owned())
        });
        changed.await;
        if let Some(live) = self.live(id) {
            let mut kept = live.lock().await;
            if kept.slim_down(&folder).is_ok() {
                let _ = self.save(&kept).await;
            }
        }
        self.book().live.remove(&id);
    }

    /// Changes a run and says a line in the log of the stage where it was.
    async fn change(&self, id: RunId, change: impl FnOnce(&mut Kept, base::Timestamp) -> Option<String>) {
        let Some(live) = self.live(id) else { return };
        let mut kept = live.lock().await;
        let stage = apply::at(&kept.run);
        let line = change(&mut kept, self.now());
        if let (Some(stage), Some(line)) = (stage, line) {
            let total = kept.logs.add(&self.inner.folder, id, &stage, &[line], self.inner.options.log_bytes);
            if let (Ok(total), Some(known)) = (total, kept.run.stages.iter_mut().find(|known| known.name == stage)) {
                known.lines = total;
            }
        }
        // A store that has stopped is told of by `stopped`, and ends the server.
        let _ = self.save(&kept).await;
    }
}

/// Takes a question back when nobody waits for its answer any more.
struct Leaving<'r> {
    runs: &'r Runs,
    number: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.runs.observe(Observation::Leaves(self.number));
        self.runs.book().askers.remove(&self.number);
    }
}

fn silent_end(code: Option<u8>) -> Cause {
    let message = match code {
        Some(code) => format!("the command ended with code {code} and said no more"),
        None => "the command was ended by a signal".to_owned(),
    };
    Cause { kind: "work".to_owned(), message, hints: Vec::new(), exit_code: code.unwrap_or(70) }
}
