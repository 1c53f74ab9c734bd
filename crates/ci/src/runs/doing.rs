//! Runners: they ask for runs, say what happens, and end them.

use super::apply;
use super::decide::whole;
use super::kept::{self, Kept, Work};
use super::{Change, Runs, RunsError};
use crate::event::Event;
use crate::queue::{Action, Asker, Observation};
use crate::run::{Artefact, Cause, Run, RunId, RunState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// Artefacts of one run.
const ARTEFACTS: usize = 32;

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
            book.askers.insert(number, (runner.to_owned(), sender));
            number
        };
        let leaving = Leaving { runs: self, number };
        self.decide(Observation::Asks(Asker { number, instance: instance.to_owned(), token })).await;
        let taken = match tokio::time::timeout(patience, &mut receiver).await {
            Ok(taken) => taken.ok(),
            Err(_) => None,
        };
        drop(leaving);
        // It may have come while we left.
        taken.or_else(|| receiver.try_recv().ok())
    }

    /// Takes what a runner says, from a number on, each once; also nothing, which only says that it lives.
    ///
    /// # Errors
    /// When the run is not the runner's any more, or nothing can be kept: then nothing of it was taken.
    pub async fn say(&self, id: RunId, token: &str, from: u64, said: Vec<Said>) -> Result<Told, RunsError> {
        let (runs, token) = (self.clone(), token.to_owned());
        whole(async move {
            if !said.iter().any(|said| matches!(said, Said::Ended { .. })) {
                return runs.hear(id, &token, from, said).await.map(|(told, _)| told);
            }
            let mut order = runs.inner.order.lock().await;
            let (told, over) = runs.hear(id, &token, from, said).await?;
            if over {
                // Only now, with its end on the disk: a runner that hears of an error still has the run, and says it again.
                runs.book().live.remove(&id);
                runs.decide_in(&mut order, Observation::Ended { id, token }).await;
            }
            Ok(told)
        })
        .await
    }

    /// The same, and whether the run is over by it; what that means for others is still to be decided.
    async fn hear(&self, id: RunId, token: &str, from: u64, said: Vec<Said>) -> Result<(Told, bool), RunsError> {
        let live = self.live(id).ok_or(RunsError::NotYours(id))?;
        let mut kept = live.lock().await;
        let mut stop = false;
        for action in self.observe(Observation::Heard { id, token: token.to_owned() }) {
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
            return Ok((Told { next, stop }, false));
        }
        let mut after = kept.clone();
        let lines = self.take_in(&mut after, new)?;
        if let Some(doing) = &mut after.doing {
            doing.taken = next;
        }
        let over = after.run.state.has_ended();
        if over {
            after.slim_down(self.inner.files.as_ref(), &self.inner.folder)?;
        }
        self.replace(&mut kept, after).await?;
        for (stage, lines) in lines {
            self.tell(Change::Lines { run: id, stage, lines });
        }
        Ok((Told { next, stop }, over))
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
            let total = kept.logs.add(&self.inner.log(kept.run.id), &stage, &lines, self.inner.options.log_bytes)?;
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
        let refused = self.decide(Observation::Returned { id, token: token.to_owned() }).await;
        if refused { Err(RunsError::NotYours(id)) } else { Ok(()) }
    }

    /// Looks after runners that fell silent; to be called every second or so.
    pub async fn tick(&self) {
        self.decide(Observation::Tick).await;
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
        if kept.run.artefacts.iter().filter(|known| known.name != artefact.name).count() >= ARTEFACTS {
            return Err(RunsError::Artefacts(ARTEFACTS));
        }
        let folder = kept::folder(&self.inner.folder, id).join("artefacts");
        self.inner.files.folder(&folder)?;
        self.inner.files.replace(&folder.join(&artefact.name), content)?;
        let mut after = kept.clone();
        after.run.artefacts.retain(|known| known.name != artefact.name);
        after.run.artefacts.push(artefact);
        self.replace(&mut kept, after).await
    }
}

/// Takes a question back when nobody waits for its answer any more.
struct Leaving<'r> {
    runs: &'r Runs,
    number: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.runs.book().askers.remove(&self.number);
        self.runs.observe(Observation::Leaves(self.number));
    }
}

fn silent_end(code: Option<u8>) -> Cause {
    let message = match code {
        Some(code) => format!("the command ended with code {code} and said no more"),
        None => "the command was ended by a signal".to_owned(),
    };
    Cause { kind: "work".to_owned(), message, hints: Vec::new(), exit_code: code.unwrap_or(70) }
}
