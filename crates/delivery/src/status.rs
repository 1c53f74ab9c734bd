//! Whether an object is what it should be: one file per kind.
//!
//! Source: kstatus (cli-utils v0.37.2, `pkg/kstatus/status`). Its verdict is ours on every state in `fixtures/`, but where a fixture
//! says why not; `xtask verdicts` asks kstatus anew. Where the two differ ours is the stricter one: a false green is the worse lie.

mod claim;
mod daemon_set;
mod definition;
mod deployment;
mod generic;
mod job;
mod pod;
mod replica_set;
mod service;
mod stateful_set;

use base::Timestamp;
use k8s::{Fields, Value};

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is what it should be.
    Current,
    /// It is on its way.
    InProgress,
    /// It will not get there by itself.
    Failed,
    /// It is being removed.
    Terminating,
    /// It is not there.
    NotFound,
}

/// How far an object is, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// How far.
    pub state: State,
    /// One line.
    pub message: String,
}

impl Verdict {
    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self { state: State::Current, message: message.into() }
    }

    pub(crate) fn progress(message: impl Into<String>) -> Self {
        Self { state: State::InProgress, message: message.into() }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { state: State::Failed, message: message.into() }
    }
}

/// How one kind is judged.
struct Judge {
    group: &'static str,
    kinds: &'static [&'static str],
    judge: fn(&Value, Timestamp) -> Verdict,
}

const JUDGES: &[Judge] = &[
    Judge { group: "apps", kinds: &["Deployment"], judge: |object, _| deployment::judge(object) },
    Judge { group: "apps", kinds: &["ReplicaSet"], judge: |object, _| replica_set::judge(object) },
    Judge { group: "apps", kinds: &["StatefulSet"], judge: |object, _| stateful_set::judge(object) },
    Judge { group: "apps", kinds: &["DaemonSet"], judge: |object, _| daemon_set::judge(object) },
    Judge { group: "batch", kinds: &["Job"], judge: |object, _| job::judge(object) },
    Judge { group: "", kinds: &["Pod"], judge: pod::judge },
    Judge { group: "", kinds: &["ReplicationController"], judge: |object, _| replica_set::judge(object) },
    Judge { group: "", kinds: &["PersistentVolumeClaim"], judge: |object, _| claim::judge(object) },
    Judge { group: "", kinds: &["Service"], judge: |object, _| service::judge(object) },
    Judge { group: "apiextensions.k8s.io", kinds: &["CustomResourceDefinition"], judge: |object, _| definition::judge(object) },
    // What these say in their status is of what they name, not of themselves.
    Judge { group: "", kinds: &["Secret", "ConfigMap"], judge: |_, _| Verdict::current("there") },
    Judge { group: "batch", kinds: &["CronJob"], judge: |_, _| Verdict::current("there") },
    Judge { group: "policy", kinds: &["PodDisruptionBudget"], judge: |_, _| Verdict::current("there") },
];

/// Judges an object by its own status; `now` by the server's clock as far as it can be told.
pub fn verdict(object: &Value, now: Timestamp) -> Verdict {
    if object.is_terminating() {
        return Verdict { state: State::Terminating, message: "being removed".to_owned() };
    }
    let seen = object.int("status.observedGeneration").zip(object.int("metadata.generation"));
    if seen.is_some_and(|(seen, is)| seen != is) {
        return Verdict::progress("the change has not been seen yet");
    }
    generic::standard(object).unwrap_or_else(|| judge_of(object)(object, now))
}

/// Whether nothing comes of waiting: what it lacks, its own settings leave to people.
pub fn is_left_to_people(object: &Value) -> bool {
    match object.text("kind") {
        "Job" => job::is_left_to_people(object),
        "DaemonSet" => daemon_set::is_left_to_people(object),
        _ => false,
    }
}

/// Whether nothing is wrong with an object and nothing is to be waited for.
pub fn is_well(object: &Value, now: Timestamp) -> bool {
    verdict(object, now).state == State::Current || !object.is_terminating() && is_left_to_people(object)
}

// Others call their kinds as Kubernetes does: a Service of a group of their own is none of these.
fn judge_of(object: &Value) -> fn(&Value, Timestamp) -> Verdict {
    let (version, kind) = (object.text("apiVersion"), object.text("kind"));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let is_of = |judge: &&Judge| judge.kinds.contains(&kind) && (version.is_empty() || judge.group == group);
    JUDGES.iter().find(is_of).map_or(|object, _| generic::judge(object), |judge| judge.judge)
}

pub(crate) fn count(object: &Value, path: &str) -> i64 {
    object.int(path).unwrap_or(0)
}

pub(crate) fn is(object: &Value, condition: &str, status: &str) -> bool {
    object.condition(condition).is_some_and(|condition| condition.text("status") == status)
}

#[cfg(test)]
mod tests;
