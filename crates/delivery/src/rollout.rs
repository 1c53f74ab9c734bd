//! A rollout as a pure step: what is seen of workloads, pods, events and logs becomes progress, readiness, or a cause.

mod explain;
mod pods;
mod trouble;

#[cfg(test)]
mod tests;

pub use explain::{Explanation, explain};
pub use pods::PodSeen;

use crate::progress::Progress;
use crate::status::{State, is_left_to_people, verdict};
use crate::world::{LogOf, World};
use base::Timestamp;
use k8s::{Fields, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use trouble::Trouble;

/// How long a bad sign may stand before it is a verdict. A cause is told within ten seconds of its first sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For what may pass by itself: a crash while a neighbour starts, a pull that failed once, no room yet.
    pub passing: Duration,
    /// For what nearly never passes: a missing Secret, a program that cannot be run.
    pub stuck: Duration,
    /// To wait for a log before the cause is told without it.
    pub log: Duration,
    /// For the whole rollout, whatever the workloads' own deadlines say.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { passing: seconds(8), stuck: seconds(4), log: Duration::from_millis(1_500), whole: seconds(900) }
    }
}

/// Names a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload {
    /// Such as `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Workload {
    /// The name of an object.
    pub fn of(object: &Value) -> Self {
        Self { kind: object.text("kind").to_owned(), namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Why a workload does not serve.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// The workload, such as `Deployment jobs/app-a`.
    pub workload: String,
    /// One line.
    pub message: String,
    /// The last log lines and what events said, where there are some.
    pub evidence: Vec<String>,
    /// Milliseconds from the first event or status that carries the cause until it was told.
    #[serde(default)]
    pub told_after_ms: u64,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.workload, self.message)
    }
}

/// What is to be done after a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Fetch the last lines of a log and put them into the world.
    Fetch(LogOf),
    /// Tell.
    Tell(Progress),
    /// All workloads serve.
    Succeed,
    /// One will not.
    Fail(Cause),
}

/// A wait that a person would wonder about is talked of after this long.
const EARLY: Duration = Duration::from_secs(2);

fn over_sign(workload: &Workload) -> String {
    format!("{workload}/over")
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Watched {
    told: String,
    ready: bool,
}

/// The state of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    workloads: BTreeMap<Workload, Watched>,
    patience: Patience,
    begun: Timestamp,
    /// When each sign was seen first.
    signs: BTreeMap<String, Timestamp>,
    /// When each log was asked for.
    asked: BTreeMap<LogOf, Timestamp>,
    /// Signs that were talked of while it is waited.
    mentioned: BTreeSet<String>,
    /// The pods as they were told last.
    pods: Vec<PodSeen>,
}

impl Rollout {
    /// Begins to watch workloads.
    pub fn new(workloads: impl IntoIterator<Item = Workload>, patience: Patience, now: Timestamp) -> Self {
        let workloads = workloads.into_iter().map(|workload| (workload, Watched::default())).collect();
        Self {
            workloads,
            patience,
            begun: now,
            signs: BTreeMap::new(),
            asked: BTreeMap::new(),
            mentioned: BTreeSet::new(),
            pods: Vec::new(),
        }
    }

    /// One step; to be repeated on every change of the world and a few times a second until it succeeds or fails.
    #[must_use]
    pub fn step(mut self, world: &World, now: Timestamp) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let names: Vec<Workload> = self.workloads.keys().cloned().collect();
        self.tell_pods(&names, world, &mut actions);
        for name in names {
            if let Some(cause) = self.look(&name, world, now, &mut seen, &mut actions) {
                let (workload, message) = (cause.workload.clone(), cause.message.clone());
                actions.push(Action::Tell(Progress::Failed { workload, cause: message, told_after_ms: cause.told_after_ms }));
                actions.push(Action::Fail(cause));
                return (self, actions);
            }
        }
        self.signs.retain(|sign, _| seen.contains(sign));
        if self.workloads.values().all(|watched| watched.ready) {
            actions.push(Action::Succeed);
        }
        (self, actions)
    }

    fn tell_pods(&mut self, workloads: &[Workload], world: &World, actions: &mut Vec<Action>) {
        let known = workloads.iter().filter_map(|name| Some((name, world.get(&name.kind, &name.namespace, &name.name)?)));
        let pods: Vec<PodSeen> = known.flat_map(|(name, object)| pods::of(object, &name.to_string(), world)).collect();
        if pods != self.pods {
            self.pods.clone_from(&pods);
            actions.push(Action::Tell(Progress::Pods { pods }));
        }
    }

    fn look(&mut self, name: &Workload, world: &World, now: Timestamp, seen: &mut Vec<String>, actions: &mut Vec<Action>) -> Option<Cause> {
        let object = world.get(&name.kind, &name.namespace, &name.name);
        let verdict = object.map(|object| verdict(object, now));
        let state = verdict.as_ref().map(|verdict| verdict.state);
        let watched = self.workloads.entry(name.clone()).or_default();
        let left = object.is_some_and(|object| !object.is_terminating() && is_left_to_people(object));
        if state == Some(State::Current) || left {
            if !watched.ready {
                watched.ready = true;
                actions.push(Action::Tell(Progress::Ready { workload: name.to_string() }));
            }
            return None;
        }
        watched.ready = false;
        let message = verdict.map_or_else(|| "not there".to_owned(), |verdict| verdict.message);
        if watched.told != message {
            watched.told.clone_from(&message);
            actions.push(Action::Tell(Progress::Waiting { workload: name.to_string(), message: message.clone() }));
        }
        let late = now.since(self.begun) >= self.patience.whole;
        // A pod that waits for a node has signs of its own, which know what it waits for.
        let waits = object.is_some_and(|object| object.text("status.phase") == "Pending");
        let over = state == Some(State::Failed) && !waits || late;
        if over {
            self.first(over_sign(name), now, seen);
        }
        let troubles = object.map(|object| trouble::find(object, world)).unwrap_or_default();
        for trouble in &troubles {
            if let Some(cause) = self.weigh(name, trouble, over, world, now, seen, actions) {
                return Some(cause);
            }
        }
        if !over || !troubles.is_empty() && !self.logs_are_late(&troubles, world, now) {
            return None;
        }
        let message = if late { format!("still not ready after {} s: {message}", self.patience.whole.as_secs()) } else { message };
        let told_after_ms = self.first(over_sign(name), now, seen);
        Some(Cause { workload: name.to_string(), message, evidence: Vec::new(), told_after_ms })
    }

    // Notes a sign; the milliseconds since it was seen first.
    fn first(&mut self, sign: String, now: Timestamp, seen: &mut Vec<String>) -> u64 {
        let since = *self.signs.entry(sign.clone()).or_insert(now);
        seen.push(sign);
        u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
    }

    // Whether a sign has stood for long enough to be the cause.
    #[expect(clippy::too_many_arguments, reason = "one step's inputs and outputs")]
    fn weigh(
        &mut self,
        name: &Workload,
        trouble: &Trouble,
        over: bool,
        world: &World,
        now: Timestamp,
        seen: &mut Vec<String>,
        actions: &mut Vec<Action>,
    ) -> Option<Cause> {
        let stood = Duration::from_millis(self.first(trouble.sign.clone(), now, seen));
        if trouble.is_told_early && stood >= EARLY && self.mentioned.insert(trouble.sign.clone()) {
            let message = trouble.cause("", "", &[]).message;
            actions.push(Action::Tell(Progress::Waiting { workload: name.to_string(), message }));
        }
        if let Some(log) = &trouble.log
            && !self.asked.contains_key(log)
        {
            self.asked.insert(log.clone(), now);
            actions.push(Action::Fetch(log.clone()));
        }
        let patience = match trouble.weight {
            trouble::Weight::Certain => Duration::ZERO,
            trouble::Weight::Stuck => self.patience.stuck,
            trouble::Weight::Passing => self.patience.passing,
            trouble::Weight::Retried | trouble::Weight::OnlyExplains => Duration::MAX,
        };
        if !over && stood < patience {
            return None;
        }
        let lines = match &trouble.log {
            None => &[][..],
            Some(log) => match world.log(log) {
                Some(lines) => lines,
                None if self.is_late(log, now) => &[],
                None => return None,
            },
        };
        let prefix = if over && trouble.weight == trouble::Weight::OnlyExplains { "never became ready: " } else { "" };
        // What only explains became the cause when the time was up, and what was tried again when it no longer was.
        let explains = matches!(trouble.weight, trouble::Weight::Retried | trouble::Weight::OnlyExplains);
        let carrier = if explains { over_sign(name) } else { trouble.sign.clone() };
        let told_after_ms = self.first(carrier, now, seen);
        Some(Cause { told_after_ms, ..trouble.cause(&name.to_string(), prefix, lines) })
    }

    fn is_late(&self, log: &LogOf, now: Timestamp) -> bool {
        self.asked.get(log).is_none_or(|asked| now.since(*asked) >= self.patience.log)
    }

    fn logs_are_late(&self, troubles: &[Trouble], world: &World, now: Timestamp) -> bool {
        troubles.iter().filter_map(|trouble| trouble.log.as_ref()).all(|log| world.log(log).is_some() || self.is_late(log, now))
    }
}
