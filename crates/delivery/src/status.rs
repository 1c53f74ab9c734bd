//! Whether an object is what it should be: one file per kind.
//!
//! Source: kstatus (cli-utils `pkg/kstatus/status`), with the kinds' own conditions.

mod claim;
mod daemon_set;
mod deployment;
mod generic;
mod job;
mod pod;
mod replica_set;
mod service;
mod stateful_set;

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
    kind: &'static str,
    judge: fn(&Value) -> Verdict,
}

const JUDGES: &[Judge] = &[
    Judge { kind: "Deployment", judge: deployment::judge },
    Judge { kind: "ReplicaSet", judge: replica_set::judge },
    Judge { kind: "StatefulSet", judge: stateful_set::judge },
    Judge { kind: "DaemonSet", judge: daemon_set::judge },
    Judge { kind: "Job", judge: job::judge },
    Judge { kind: "Pod", judge: pod::judge },
    Judge { kind: "PersistentVolumeClaim", judge: claim::judge },
    Judge { kind: "Service", judge: service::judge },
];

/// Judges an object by its own status.
pub fn verdict(object: &Value) -> Verdict {
    if object.is_terminating() {
        return Verdict { state: State::Terminating, message: "being removed".to_owned() };
    }
    let behind = object.int("status.observedGeneration").zip(object.int("metadata.generation")).is_some_and(|(seen, is)| seen < is);
    if behind {
        return Verdict::progress("the change has not been seen yet");
    }
    let judge =
        JUDGES.iter().find(|judge| judge.kind == object.text("kind")).map_or(generic::judge as fn(&Value) -> Verdict, |judge| judge.judge);
    judge(object)
}

pub(crate) fn count(object: &Value, path: &str) -> i64 {
    object.int(path).unwrap_or(0)
}

pub(crate) fn is(object: &Value, condition: &str, status: &str) -> bool {
    object.condition(condition).is_some_and(|condition| condition.text("status") == status)
}

#[cfg(test)]
mod tests;
