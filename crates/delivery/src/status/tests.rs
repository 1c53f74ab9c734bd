//! Verdicts: those of kstatus, on states that real controllers wrote.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A recorded state. Recorded ones lack managed fields, ids, addresses and what pods' specs hold beside containers.
#[derive(Deserialize)]
struct Fixture {
    name: String,
    /// Where it comes from.
    source: String,
    /// The object's age when it was seen, where the verdict depends on it.
    age_seconds: Option<u64>,
    /// Our verdict, where it is another than kstatus'.
    ours: Option<Ours>,
    object: Value,
}

#[derive(Deserialize)]
struct Ours {
    state: String,
    reason: String,
}

/// What kstatus said, by fixture; written by `xtask verdicts`.
#[derive(Deserialize)]
struct Kstatus {
    state: String,
}

const FIXTURES: &[&str] = &[
    include_str!("fixtures/claims.json"),
    include_str!("fixtures/daemon_sets.json"),
    include_str!("fixtures/deployments.json"),
    include_str!("fixtures/jobs.json"),
    include_str!("fixtures/others.json"),
    include_str!("fixtures/pods.json"),
    include_str!("fixtures/replica_sets.json"),
    include_str!("fixtures/services.json"),
    include_str!("fixtures/stateful_sets.json"),
];

fn fixtures() -> Vec<Fixture> {
    FIXTURES.iter().flat_map(|text| serde_json::from_str::<Vec<Fixture>>(text).expect("fixtures")).collect()
}

fn kstatus() -> BTreeMap<String, Kstatus> {
    serde_json::from_str(include_str!("fixtures/kstatus.json")).expect("verdicts")
}

fn named(name: &str) -> Value {
    fixtures().into_iter().find(|fixture| fixture.name == name).unwrap_or_else(|| panic!("no fixture `{name}`")).object
}

fn seen_at(fixture: &Fixture) -> Timestamp {
    let born = fixture.object.time("metadata.creationTimestamp").unwrap_or(Timestamp::from_micros(0));
    born.plus(Duration::from_secs(fixture.age_seconds.unwrap_or(3600)))
}

#[test]
fn every_state_gets_the_verdict_of_kstatus_or_says_why_not() {
    let (fixtures, theirs) = (fixtures(), kstatus());
    assert!(fixtures.len() >= 60 && theirs.len() == fixtures.len(), "{} fixtures, {} verdicts", fixtures.len(), theirs.len());
    let mut wrong = Vec::new();
    for fixture in &fixtures {
        let theirs = &theirs[&fixture.name].state;
        let ours = verdict(&fixture.object, seen_at(fixture));
        let wanted = fixture.ours.as_ref().map_or(theirs, |ours| &ours.state);
        if format!("{:?}", ours.state) != *wanted {
            wrong.push(format!("{}: {:?} ({}), wanted {wanted}", fixture.name, ours.state, ours.message));
        }
        assert!(!ours.message.is_empty() && !ours.message.contains('\n'), "{}", fixture.name);
        assert!(!fixture.source.is_empty(), "{}", fixture.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_difference_is_explained_is_one_and_is_never_greener() {
    let theirs = kstatus();
    for fixture in fixtures() {
        let Some(ours) = &fixture.ours else { continue };
        let theirs = &theirs[&fixture.name].state;
        assert!(ours.reason.len() > 20 && ours.state != *theirs, "{}", fixture.name);
        assert!(ours.state != "Current", "{}: kstatus says {theirs}", fixture.name);
    }
}

#[test]
fn what_waits_for_people_is_waited_for_by_nobody_else() {
    let waits: Vec<String> =
        fixtures().into_iter().filter(|fixture| is_left_to_people(&fixture.object)).map(|fixture| fixture.name).collect();
    assert_eq!(waits, ["daemon set on delete, change waits", "job created suspended", "job suspended midway"]);
    let now = Timestamp::from_micros(0);
    assert!(is_well(&named("job created suspended"), now) && !is_well(&named("daemon set on delete, its pod not ready"), now));
    assert!(is_well(&named("deployment complete"), now) && !is_well(&named("deployment being removed"), now));
}

#[test]
fn one_field_that_is_wrong_turns_green_off() {
    let now = Timestamp::from_micros(0);
    let without = |name: &str, path: &str, value: i64| {
        let mut object = named(name);
        assert_eq!(verdict(&object, now).state, State::Current, "{name}");
        object.set(path, value);
        assert_eq!(verdict(&object, now).state, State::InProgress, "{name}: {path}");
    };
    for path in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"] {
        without("deployment complete", &format!("status.{path}"), 2 * i64::from(path == "observedGeneration"));
    }
    without("deployment complete", "status.replicas", 4);
    for path in ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        without("replica set complete", &format!("status.{path}"), if path == "replicas" { 3 } else { 1 });
    }
    for path in ["replicas", "readyReplicas", "updatedReplicas"] {
        without("stateful set complete", &format!("status.{path}"), 2);
    }
    for path in ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"] {
        without("daemon set complete", &format!("status.{path}"), 0);
    }
}

#[test]
fn what_is_wrong_is_told() {
    let now = Timestamp::from_micros(4_000_000_000_000_000);
    for (name, words) in [
        ("deployment past its progress deadline", "no progress for 4 s"),
        ("deployment refused by a quota", "exceeded quota"),
        ("deployment paused midway", "it is paused"),
        ("pod no node takes, old", "Insufficient cpu"),
        ("pod in a crash loop", "container `main` crashes"),
        ("pod past its deadline", "longer than the specified deadline"),
        ("job failed, out of tries", "BackoffLimitExceeded"),
        ("job past its deadline, pods ending", "DeadlineExceeded"),
        ("job trying again", "1 failed"),
        ("claim that lost its volume", "`one` is lost"),
        ("widget stalled", "the chart is not there"),
        ("service at a load balancer", "203.0.113.7"),
    ] {
        let message = verdict(&named(name), now).message;
        assert!(message.contains(words), "{name}: {message}");
    }
}
