//! What counts as well, and what does not.

use super::*;
use crate::rollout::explain;
use crate::world::World;
use serde_json::json;

const NOW: &str = "2026-01-01T01:00:00Z";

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(NOW).expect("a time")
}

fn owned(kind: &str, name: &str, by: &Value, rest: Value) -> Value {
    let group = if matches!(kind, "Job") { "batch/v1" } else { "v1" };
    let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "jobs", "uid": name,
        "ownerReferences": [{"uid": by.uid(), "kind": by.text("kind"), "name": by.name(), "controller": true}]}});
    for (key, value) in rest.as_object().expect("an object") {
        object.set(key, value.clone());
    }
    object
}

fn named(kind: &str, name: &str, rest: Value) -> Value {
    let group = match kind {
        "Deployment" | "StatefulSet" => "apps/v1",
        "CronJob" | "Job" => "batch/v1",
        _ => "v1",
    };
    let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "jobs", "uid": name}});
    for (key, value) in rest.as_object().expect("an object") {
        object.set(key, value.clone());
    }
    object
}

fn ended(how: &str, at: &str) -> Value {
    json!({"status": {"startTime": at, "conditions": [{"type": how, "status": "True", "reason": "BackoffLimitExceeded", "message": "x"}]}})
}

fn set(ready: i64) -> Value {
    named(
        "StatefulSet",
        "db",
        json!({"spec": {"replicas": 1}, "status": {"replicas": 1, "readyReplicas": ready, "updatedReplicas": 1,
        "currentReplicas": 1, "currentRevision": "r", "updateRevision": "r"}}),
    )
}

fn unready_pod(by: &Value) -> Value {
    owned(
        "Pod",
        "db-0",
        by,
        json!({"spec": {"containers": [{"name": "db"}]}, "status": {"phase": "Running",
        "containerStatuses": [{"name": "db", "ready": false, "state": {"running": {}}}],
        "conditions": [{"type": "Ready", "status": "False", "message": "containers with unready status: [db]"}]}}),
    )
}

fn well(wanted: &[Value], found: &[Value]) -> Vec<(String, bool)> {
    let wanted: Vec<Entry> = wanted.iter().map(|object| Entry::of(object, true)).collect();
    judge(&wanted, found, now()).into_iter().map(|standing| (standing.name, standing.well)).collect()
}

#[test]
fn a_set_that_lost_its_readiness_is_the_root_and_its_pod_says_why() {
    let set = set(0);
    let pod = unready_pod(&set);
    let found = [set.clone(), pod.clone()];
    let health = Health { standings: judge(&[Entry::of(&set, true)], &found, now()) };
    assert!(!health.is_well());
    let roots: Vec<String> = health.roots().map(Standing::object).collect();
    assert_eq!(roots, ["StatefulSet jobs/db"]);
    let mut world = World::default();
    found.into_iter().for_each(|object| world.put(object));
    world.put(json!({"kind": "Event", "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "metadata": {"name": "e", "namespace": "jobs"}, "involvedObject": {"uid": "db-0", "fieldPath": "spec.containers{db}"}}));
    let explanation = explain(&set, &world).expect("a cause");
    let message = explanation.message(&["lost the leader".to_owned()]);
    assert_eq!(
        message,
        "container `db` of pod `db-0` is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503; its last line: lost the leader"
    );
    assert!(explanation.log().is_some_and(|log| log.pod == "db-0" && !log.previous));
}

#[test]
fn a_set_of_an_older_revision_is_explained_too() {
    let mut set = set(0);
    set.set("status.updateRevision", "newer");
    let mut world = World::default();
    world.put(unready_pod(&set));
    world.put(set.clone());
    assert!(explain(&set, &world).is_some_and(|why| why.message(&[]).contains("`db-0` is not ready")));
}

#[test]
fn what_is_gone_is_not_well_but_for_a_job_that_is_over() {
    let gone = named("Deployment", "web", json!({}));
    let job = named("Job", "migrate", json!({}));
    assert_eq!(well(&[gone, job], &[]), [("web".to_owned(), false), ("migrate".to_owned(), true)]);
    assert!(!Health::default().is_well(), "nothing is not something that serves");
}

#[test]
fn of_a_cron_job_the_job_that_ended_last_counts() {
    let cron = named("CronJob", "nightly", json!({}));
    let job = |name: &str, how: &str, at: &str| owned("Job", name, &cron, ended(how, at));
    let (first, second) = (job("one", "Failed", "2026-01-01T00:00:00Z"), job("two", "Complete", "2026-01-01T00:10:00Z"));
    let third = job("three", "Failed", "2026-01-01T00:20:00Z");
    let running = owned("Job", "four", &cron, json!({"status": {"startTime": NOW, "active": 1}}));
    let judged =
        |found: &[Value]| -> Vec<bool> { found.iter().map(|one| well(&[], found).contains(&(one.name().to_owned(), true))).collect() };
    assert_eq!(judged(&[cron.clone(), first.clone(), second.clone(), running.clone()]), [true, true, true, true]);
    assert_eq!(judged(&[cron.clone(), first, second, third.clone(), running]), [true, true, true, false, true]);
    // Its pods are its own matter.
    let pod = owned("Pod", "p", &third, json!({"status": {"phase": "Failed"}}));
    assert_eq!(judged(&[third, pod]), [false, true]);
}

#[test]
fn a_job_of_the_release_is_waited_for_and_a_stranger_s_is_not() {
    let job = named("Job", "migrate", json!({"status": {"startTime": NOW, "active": 1}}));
    assert_eq!(well(std::slice::from_ref(&job), std::slice::from_ref(&job)), [("migrate".to_owned(), false)]);
    assert_eq!(well(&[], std::slice::from_ref(&job)), [("migrate".to_owned(), true)]);
    let failed = named("Job", "migrate", ended("Failed", NOW));
    assert_eq!(well(&[], &[failed]), [("migrate".to_owned(), false)]);
}

#[test]
fn pods_that_end_are_no_trouble_where_others_serve() {
    let set = set(1);
    let evicted = owned("Pod", "db-1", &set, json!({"status": {"phase": "Failed", "reason": "Evicted"}}));
    let ending = owned("Pod", "db-2", &set, json!({"metadata.deletionTimestamp": NOW, "status": {"phase": "Running"}}));
    let alone = named("Pod", "lone", json!({"status": {"phase": "Failed"}}));
    let judged = well(&[], &[set, evicted, ending, alone]);
    assert_eq!(judged.iter().filter(|(_, well)| !well).map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["lone"]);
}

#[test]
fn a_claim_counts_when_a_pod_waits_for_it() {
    let claim = named("PersistentVolumeClaim", "data", json!({"status": {"phase": "Pending"}}));
    assert_eq!(well(std::slice::from_ref(&claim), std::slice::from_ref(&claim)), [("data".to_owned(), true)]);
    let pod = named(
        "Pod",
        "db",
        json!({"spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]},
        "status": {"phase": "Pending"}}),
    );
    assert!(well(&[], &[claim, pod]).contains(&("data".to_owned(), false)));
    let lost = named("PersistentVolumeClaim", "data", json!({"status": {"phase": "Lost"}}));
    assert_eq!(well(&[], &[lost]), [("data".to_owned(), false)]);
}
