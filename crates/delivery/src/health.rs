//! How what a project has stands now, and why not: every object of its inventory, and all that came of them.

mod read;
#[cfg(test)]
mod tests;

use crate::inventory::Entry;
use crate::status::{State, Verdict, is_well, verdict};
use base::Timestamp;
use k8s::{Fields, Value};
use std::collections::BTreeMap;

/// How one object stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// Such as `Deployment`.
    pub kind: String,
    /// Empty for cluster-wide kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// One line.
    pub message: String,
    /// Why it is not well, in one line, where more is known than the message says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whether nothing is wrong with it. A finished pod of a Job, or a claim that no pod uses yet, may be well without being current.
    pub well: bool,
    /// Whether it came of another object that is listed, which is judged by it.
    pub owned: bool,
}

impl Standing {
    /// Such as `Deployment jobs/app-a`.
    pub fn object(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }

    /// What is the matter, in one line: the cause where it is known.
    pub fn why(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.message)
    }
}

/// How all of a project's objects stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// In the order in which they were applied; what came of them after each kind's own.
    pub standings: Vec<Standing>,
}

impl Health {
    /// Whether there is something, and nothing is wrong with any of it.
    pub fn is_well(&self) -> bool {
        !self.standings.is_empty() && self.standings.iter().all(|standing| standing.well)
    }

    /// What is not well and comes of nothing else that is not: where a person would look first.
    pub fn roots(&self) -> impl Iterator<Item = &Standing> {
        let all_owned = self.standings.iter().filter(|standing| !standing.well).all(|standing| standing.owned);
        self.standings.iter().filter(move |standing| !standing.well && (!standing.owned || all_owned))
    }
}

/// Judges what was found of what is wanted. `found` are the objects of the project's namespace, and the wanted ones elsewhere.
pub(crate) fn judge(wanted: &[Entry], found: &[Value], now: Timestamp) -> Vec<Standing> {
    let newest = newest_jobs(found);
    let mut standings: Vec<Standing> = found
        .iter()
        .map(|object| {
            let verdict = verdict(object, now);
            let well = is_well(object, now) || is_excused(object, found, wanted, &newest);
            standing(object, verdict, well, owner(object, found).is_some())
        })
        .collect();
    for entry in wanted.iter().filter(|entry| !found.iter().any(|object| Entry::of(object, true).same(entry))) {
        standings.push(missing(entry));
    }
    standings
        .sort_by_key(|standing| (crate::order::group_of(&standing.kind), standing.owned, standing.kind.clone(), standing.name.clone()));
    standings
}

fn standing(object: &Value, verdict: Verdict, well: bool, owned: bool) -> Standing {
    Standing {
        kind: object.text("kind").to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        state: verdict.state,
        message: verdict.message,
        cause: None,
        well,
        owned,
    }
}

fn missing(entry: &Entry) -> Standing {
    // A Job is over at some time, and may be set to go then.
    let well = entry.kind == "Job";
    Standing {
        kind: entry.kind.clone(),
        namespace: entry.namespace.clone(),
        name: entry.name.clone(),
        state: State::NotFound,
        message: if well { "not there: it has ended, or was removed" } else { "not there: somebody removed it" }.to_owned(),
        cause: None,
        well,
        owned: false,
    }
}

fn owner<'a>(object: &Value, found: &'a [Value]) -> Option<&'a Value> {
    let uid = object.controller().map(|owner| owner.text("uid")).filter(|uid| !uid.is_empty())?;
    found.iter().find(|other| other.uid() == uid)
}

fn is_finished(job: &Value) -> bool {
    ["Complete", "Failed"].iter().any(|end| job.condition(end).is_some_and(|condition| condition.text("status") == "True"))
}

/// Of each CronJob the Job that ended last, by the CronJob's uid.
fn newest_jobs(found: &[Value]) -> BTreeMap<&str, &str> {
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for job in found.iter().filter(|object| object.text("kind") == "Job" && is_finished(object)) {
        let Some(by) = job.controller().map(|owner| owner.text("uid")) else { continue };
        let begun = |job: &Value| job.time("status.startTime").or(job.time("metadata.creationTimestamp"));
        let known = newest.entry(by).or_insert(job);
        if begun(job) > begun(known) {
            *known = job;
        }
    }
    newest.into_iter().map(|(by, job)| (by, job.uid())).collect()
}

/// Whether what is not current is nothing to worry about.
fn is_excused(object: &Value, found: &[Value], wanted: &[Entry], newest: &BTreeMap<&str, &str>) -> bool {
    let by = owner(object, found);
    match object.text("kind") {
        // What a pod that ended was for, its owner knows; one that ends goes, as it should.
        "Pod" => by.is_some_and(|by| by.text("kind") == "Job" || object.text("status.phase") == "Failed" || object.is_terminating()),
        // A Job that runs is no trouble but to who waits for it; of a CronJob's the last one counts.
        "Job" => match object.controller() {
            Some(by) => !is_finished(object) || newest.get(by.text("uid")).is_some_and(|last| *last != object.uid()),
            None => !is_finished(object) && !wanted.iter().any(|entry| Entry::of(object, true).same(entry)),
        },
        "ReplicaSet" => by.is_some(),
        // Some classes wait for the first pod that uses a claim.
        "PersistentVolumeClaim" => {
            matches!(object.text("status.phase"), "" | "Pending") && !object.is_terminating() && !is_used(object, found)
        }
        _ => false,
    }
}

fn is_used(claim: &Value, found: &[Value]) -> bool {
    let names = |pod: &Value| {
        pod.items("spec.volumes").iter().any(|volume| volume.text("persistentVolumeClaim.claimName") == claim.name())
            || claim.controller().is_some_and(|by| by.text("uid") == pod.uid())
    };
    let pods = found.iter().filter(|object| object.text("kind") == "Pod" && object.namespace() == claim.namespace());
    pods.into_iter().any(|pod| !matches!(pod.text("status.phase"), "Succeeded" | "Failed") && names(pod))
}
