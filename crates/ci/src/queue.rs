//! Which run is next, who does which, and whose word still counts. Pure: what happened and the time in, what to do out.
//!
//! One run at a time for each lane (repository, project, branch and environment), in the order of their numbers. Who does a run has a token for this
//! attempt; when nothing is heard for a while the run is given once more, with another token, and the word of the first no longer counts.

#[cfg(test)]
mod tests;

use crate::folder::ProjectFolder;
use crate::run::RunId;
use base::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What goes one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// The repository.
    pub repository: String,
    /// Where in it the project lies.
    pub project: ProjectFolder,
    /// The branch.
    pub branch: String,
    /// The environment.
    pub environment: String,
}

/// One try to do a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// Known to its runner alone; random.
    pub token: String,
    /// The process of the runner; random, new with each start of it.
    pub instance: String,
}

/// A runner that waits for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// This very question.
    pub number: u64,
    /// As in [`Attempt`]. A process does one run at a time.
    pub instance: String,
    /// The token of the attempt, if it gets one.
    pub token: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A run is to be done.
    Pushed {
        /// Which.
        id: RunId,
        /// Where it stands in line.
        lane: Lane,
        /// How many attempts it had.
        attempts: u32,
    },
    /// A run was being done when this server began.
    Resumed {
        /// Which.
        id: RunId,
        /// Where it stands in line.
        lane: Lane,
        /// By whom.
        attempt: Attempt,
        /// Whether that runner ever spoke of it.
        heard: bool,
    },
    /// A runner wants a run.
    Asks(Asker),
    /// A runner waits no longer.
    Leaves(u64),
    /// The runner of a run spoke.
    Heard {
        /// Of this run.
        id: RunId,
        /// With this token.
        token: String,
    },
    /// The runner of a run says that it is over.
    Ended {
        /// Which.
        id: RunId,
        /// With this token.
        token: String,
    },
    /// The runner of a run leaves, and did not end it: that was no attempt.
    Returned {
        /// Which.
        id: RunId,
        /// With this token.
        token: String,
    },
    /// A person wants a run to end.
    Cancelled(RunId),
    /// Time went by.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The run begins: a waiting runner gets it.
    Give {
        /// Who asked.
        asker: u64,
        /// Which.
        id: RunId,
        /// Its try.
        attempt: Attempt,
    },
    /// The runner that asked has this run already and never learned of it: it is told again.
    GiveAgain {
        /// Who asked.
        asker: u64,
        /// Which.
        id: RunId,
        /// Its try.
        attempt: Attempt,
    },
    /// Whoever spoke has no right to: another one does the run, or nobody any more.
    Refuse(RunId),
    /// Whoever spoke is to end the run.
    Stop(RunId),
    /// Nothing was heard of its runner: the run waits again.
    Again {
        /// Which.
        id: RunId,
        /// The attempt that is over; one that began since is not meant.
        token: String,
    },
    /// Its runner left: the run waits again, as if it had not been given away.
    Return {
        /// Which.
        id: RunId,
        /// The attempt that is over; one that began since is not meant.
        token: String,
    },
    /// Nothing was heard of its last runner either: the run is over.
    Lose(RunId),
    /// The run is over because a person wanted it.
    Cancel(RunId),
}

/// How patient a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A runner that says nothing for so long is lost.
    pub silence: Duration,
    /// How many attempts a run has.
    pub attempts: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silence: Duration::from_secs(30), attempts: 2 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    lane: Lane,
    attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Doing {
    lane: Lane,
    attempt: Attempt,
    heard: bool,
    seen: Timestamp,
    cancelled: bool,
}

/// All runs that have not ended, and all runners that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    patience: Patience,
    waiting: BTreeMap<RunId, Waiting>,
    doing: BTreeMap<RunId, Doing>,
    askers: VecDeque<Asker>,
}

impl Queue {
    /// An empty one.
    pub fn new(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    /// How many runs wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many runs are being done.
    pub fn doing(&self) -> usize {
        self.doing.len()
    }

    /// The runs that are being done or wait.
    pub fn runs(&self) -> impl Iterator<Item = RunId> + '_ {
        self.doing.keys().chain(self.waiting.keys()).copied()
    }

    /// Whether somebody does this run, and by which attempt.
    pub fn attempt(&self, id: RunId) -> Option<&Attempt> {
        self.doing.get(&id).map(|doing| &doing.attempt)
    }
}

/// Takes one observation.
#[must_use]
pub fn step(mut queue: Queue, observation: Observation, now: Timestamp) -> (Queue, Vec<Action>) {
    let mut actions = Vec::new();
    match observation {
        Observation::Pushed { id, lane, attempts } => {
            queue.waiting.insert(id, Waiting { lane, attempts });
        }
        Observation::Resumed { id, lane, attempt, heard } => {
            queue.doing.insert(id, Doing { lane, attempt, heard, seen: now, cancelled: false });
        }
        Observation::Asks(asker) => queue.ask(asker, now, &mut actions),
        Observation::Leaves(number) => queue.askers.retain(|asker| asker.number != number),
        Observation::Heard { id, token } => queue.hear(id, &token, now, &mut actions),
        Observation::Ended { id, token } => match queue.doing.get(&id) {
            Some(doing) if doing.attempt.token == token => {
                queue.doing.remove(&id);
            }
            _ => actions.push(Action::Refuse(id)),
        },
        Observation::Returned { id, token } => queue.take_back(id, &token, &mut actions),
        Observation::Cancelled(id) => queue.cancel(id, &mut actions),
        Observation::Tick => queue.lose_the_silent(now, &mut actions),
    }
    queue.assign(now, &mut actions);
    (queue, actions)
}

impl Queue {
    fn ask(&mut self, asker: Asker, now: Timestamp, actions: &mut Vec<Action>) {
        self.askers.retain(|other| other.instance != asker.instance);
        let had = self.doing.iter().find(|(_, doing)| doing.attempt.instance == asker.instance);
        match had.map(|(id, doing)| (*id, doing.attempt.clone(), doing.heard)) {
            Some((id, attempt, false)) => {
                if let Some(doing) = self.doing.get_mut(&id) {
                    doing.seen = now;
                }
                return actions.push(Action::GiveAgain { asker: asker.number, id, attempt });
            }
            // Who asks for another one has let go of the one that it had.
            Some((id, _, true)) => self.give_up(id, actions),
            None => {}
        }
        self.askers.push_back(asker);
    }

    fn hear(&mut self, id: RunId, token: &str, now: Timestamp, actions: &mut Vec<Action>) {
        match self.doing.get_mut(&id).filter(|doing| doing.attempt.token == token) {
            Some(doing) => {
                doing.heard = true;
                doing.seen = now;
                if doing.cancelled {
                    actions.push(Action::Stop(id));
                }
            }
            None => actions.push(Action::Refuse(id)),
        }
    }

    fn cancel(&mut self, id: RunId, actions: &mut Vec<Action>) {
        if self.waiting.remove(&id).is_some() {
            actions.push(Action::Cancel(id));
        } else if let Some(doing) = self.doing.get_mut(&id) {
            doing.cancelled = true;
        }
    }

    fn take_back(&mut self, id: RunId, token: &str, actions: &mut Vec<Action>) {
        let Some(doing) = self.doing.get(&id).filter(|doing| doing.attempt.token == token) else {
            return actions.push(Action::Refuse(id));
        };
        if doing.cancelled {
            self.doing.remove(&id);
            return actions.push(Action::Cancel(id));
        }
        let waiting = Waiting { lane: doing.lane.clone(), attempts: doing.attempt.number.saturating_sub(1) };
        self.doing.remove(&id);
        self.waiting.insert(id, waiting);
        actions.push(Action::Return { id, token: token.to_owned() });
    }

    fn lose_the_silent(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let is_silent = |doing: &Doing| now.since(doing.seen) >= self.patience.silence;
        let silent: Vec<RunId> = self.doing.iter().filter(|(_, doing)| is_silent(doing)).map(|(id, _)| *id).collect();
        silent.into_iter().for_each(|id| self.give_up(id, actions));
    }

    fn give_up(&mut self, id: RunId, actions: &mut Vec<Action>) {
        let Some(doing) = self.doing.remove(&id) else { return };
        if doing.cancelled {
            actions.push(Action::Cancel(id));
        } else if doing.attempt.number < self.patience.attempts {
            self.waiting.insert(id, Waiting { lane: doing.lane, attempts: doing.attempt.number });
            actions.push(Action::Again { id, token: doing.attempt.token });
        } else {
            actions.push(Action::Lose(id));
        }
    }

    fn assign(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        while !self.askers.is_empty() {
            let Some(id) = self.next() else { return };
            let (Some(asker), Some(waiting)) = (self.askers.pop_front(), self.waiting.remove(&id)) else { return };
            let attempt = Attempt { number: waiting.attempts.saturating_add(1), token: asker.token, instance: asker.instance };
            actions.push(Action::Give { asker: asker.number, id, attempt: attempt.clone() });
            self.doing.insert(id, Doing { lane: waiting.lane, attempt, heard: false, seen: now, cancelled: false });
        }
    }

    /// The first run whose lane is free.
    fn next(&self) -> Option<RunId> {
        let mut taken: BTreeSet<&Lane> = self.doing.values().map(|doing| &doing.lane).collect();
        self.waiting.iter().find(|(_, waiting)| taken.insert(&waiting.lane)).map(|(id, _)| *id)
    }
}
