//! Rollouts on virtual time.

use super::*;
use serde_json::json;

struct Play {
    rollout: Rollout,
    world: World,
    now: Timestamp,
    told: Vec<Progress>,
    asked: Vec<LogOf>,
}

fn deployment(ready: i64, reason: &str) -> Value {
    let status = if reason == "ProgressDeadlineExceeded" { "False" } else { "True" };
    json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "jobs", "uid": "d", "generation": 1},
        "spec": {"replicas": 2, "progressDeadlineSeconds": 20}, "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready, "availableReplicas": ready,
        "conditions": [{"type": "Progressing", "status": status, "reason": reason}, {"type": "Available", "status": if ready == 2 { "True" } else { "False" }}]}})
}

fn set(revision: &str, uid: &str) -> Value {
    json!({"kind": "ReplicaSet", "metadata": {"name": format!("web-{uid}"), "namespace": "jobs", "uid": uid, "annotations": {"deployment.kubernetes.io/revision": revision},
        "ownerReferences": [{"uid": "d", "controller": true}]}, "spec": {"replicas": 2}, "status": {"replicas": 2}})
}

fn pod(owner: &str, status: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": "web-x", "namespace": "jobs", "uid": "p", "ownerReferences": [{"uid": owner, "controller": true}]},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "resources": {"limits": {"memory": "64Mi"}}}]}, "status": status})
}

fn container(state: Value, last: Value) -> Value {
    json!({"phase": "Running", "containerStatuses": [{"name": "web", "image": "localhost/web:1", "ready": false, "state": state, "lastState": last}]})
}

impl Play {
    fn new(objects: &[Value]) -> Self {
        let mut world = World::default();
        objects.iter().cloned().for_each(|object| world.put(object));
        let now = Timestamp::from_micros(1_000_000);
        let workload = Workload { kind: "Deployment".to_owned(), namespace: "jobs".to_owned(), name: "web".to_owned() };
        Self { rollout: Rollout::new([workload], Patience::default(), now), world, now, told: Vec::new(), asked: Vec::new() }
    }

    fn failing(status: Value) -> Self {
        Self::new(&[deployment(0, "ReplicaSetUpdated"), set("1", "old"), set("2", "new"), pod("new", status)])
    }

    /// Steps until it ends or the time is up; the outcome and the seconds it took.
    fn run(&mut self, seconds: u64) -> Option<(Result<(), String>, u64)> {
        for step in 0..=seconds * 4 {
            let (next, actions) = self.rollout.clone().step(&self.world, self.now);
            self.rollout = next;
            for action in actions {
                match action {
                    Action::Fetch(log) => self.asked.push(log),
                    Action::Tell(progress) => self.told.push(progress),
                    Action::Succeed => return Some((Ok(()), step / 4)),
                    Action::Fail(cause) => return Some((Err(cause.message), step / 4)),
                }
            }
            self.now = self.now.plus(Duration::from_millis(250));
        }
        None
    }
}

fn warning(reason: &str, message: &str) -> Value {
    json!({"kind": "Event", "type": "Warning", "reason": reason, "message": message, "metadata": {"name": reason, "namespace": "jobs"},
        "involvedObject": {"uid": "p", "fieldPath": "spec.containers{web}"}, "lastTimestamp": "2026-01-01T00:00:00Z"})
}

#[test]
fn pods_are_told_one_by_one_when_they_change() {
    let named = |name: &str, owner: &str, since: &str, status: Value| {
        let mut pod = pod(owner, status);
        (pod["metadata"]["name"], pod["metadata"]["uid"]) = (json!(name), json!(name));
        (pod["metadata"]["creationTimestamp"], pod["spec"]["nodeName"]) = (json!(since), json!("n1"));
        pod
    };
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let waits = container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({}));
    let old = named("a", "old", "2026-01-01T00:00:00Z", ready.clone());
    let new = named("b", "new", "2026-01-02T00:00:00Z", waits);
    let mut play = Play::new(&[deployment(1, "ReplicaSetUpdated"), set("1", "old"), set("2", "new"), old.clone(), new]);
    assert_eq!(play.run(2), None);
    let told = |play: &Play| -> Vec<Vec<(String, bool, bool, String)>> {
        let pods = play.told.iter().filter_map(|told| match told {
            Progress::Pods { pods } => Some(pods.iter().map(|pod| (pod.name.clone(), pod.newest, pod.ready, pod.state.clone())).collect()),
            _ => None,
        });
        pods.collect()
    };
    let seen = |name: &str, newest, ready, state: &str| (name.to_owned(), newest, ready, state.to_owned());
    let first = vec![seen("b", true, false, "ContainerCreating"), seen("a", false, true, "Running")];
    assert_eq!(told(&play), std::slice::from_ref(&first));
    let mut leaving = old;
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:01Z");
    play.world.put(leaving);
    play.world.put(named("b", "new", "2026-01-02T00:00:00Z", ready));
    assert_eq!(play.run(2), None);
    assert_eq!(told(&play), [first, vec![seen("b", true, true, "Running"), seen("a", false, true, "Terminating")]]);
}

#[test]
fn ready_is_told_once_and_ends_it() {
    let mut play = Play::new(&[deployment(1, "ReplicaSetUpdated")]);
    assert_eq!(play.run(3), None);
    play.world.put(deployment(2, "NewReplicaSetAvailable"));
    assert_eq!(play.run(1), Some((Ok(()), 0)));
    assert_eq!(play.told.len(), 2, "{:?}", play.told);
}

#[test]
fn every_cause_is_one_line_within_ten_seconds() {
    let ended = |code: i64, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason}});
    let waiting = |reason: &str, message: &str| container(json!({"waiting": {"reason": reason, "message": message}}), json!({}));
    let cases = [
        (waiting("ErrImageNeverPull", "image is not present"), "image `localhost/web:1` of container `web` of pod `web-x` is missing", 0),
        (waiting("ErrImagePull", "manifest unknown"), "cannot be pulled: manifest unknown", 0),
        (waiting("ErrImagePull", "dial tcp: i/o timeout"), "cannot be pulled: dial tcp", 8),
        (waiting("CreateContainerConfigError", "secret \"x\" not found"), "cannot be started: secret \"x\" not found", 4),
        (container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), ended(3, "Error")), "ended with exit code 3", 1),
        (container(ended(3, "Error"), json!({})), "ended with exit code 3", 8),
        (container(json!({"running": {}}), ended(2, "Error")), "ended with exit code 2", 8),
        (container(ended(0, "Completed"), json!({})), "ended with exit code 0", 8),
        (container(ended(137, "OOMKilled"), json!({})), "out of memory (its limit is 64Mi)", 1),
        (
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: Insufficient memory"}]}),
            "no node takes pod `web-x`: 0/1 nodes",
            8,
        ),
        (json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}), "failed: The node was low on memory", 4),
    ];
    for (status, wanted, seconds) in cases {
        let mut play = Play::failing(status.clone());
        let (outcome, took) = play.run(12).unwrap_or_else(|| panic!("no cause for {status}"));
        let message = outcome.expect_err("a cause");
        assert!(message.contains(wanted) && !message.contains('\n'), "{message}");
        assert!(took <= seconds + 1 && took + 1 >= seconds, "{took} s for {status}");
    }
}

#[test]
fn the_last_log_line_is_part_of_the_cause() {
    let crash = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 1}}));
    let mut play = Play::failing(crash);
    assert_eq!(play.run(0), None, "it waits for the log");
    let log = play.asked.first().cloned().expect("asked");
    assert!(log.previous && log.container == "web");
    play.world.put_log(log, vec!["starting".to_owned(), "\u{1b}[31mno database".to_owned(), String::new()]);
    let message = play.run(1).expect("ended").0.expect_err("a cause");
    assert!(message.ends_with("its last line: [31mno database"), "{message}");
}

#[test]
fn a_crash_that_recovers_is_none() {
    let mut play = Play::failing(container(json!({"terminated": {"exitCode": 1}}), json!({})));
    assert_eq!(play.run(5), None);
    let mut ready = container(json!({"running": {}}), json!({"terminated": {"exitCode": 1}}));
    ready["containerStatuses"][0]["ready"] = json!(true);
    play.world.put(pod("new", ready));
    assert_eq!(play.run(20), None);
}

#[test]
fn never_ready_says_the_probe_at_the_deadline() {
    let mut play = Play::failing(container(json!({"running": {}}), json!({})));
    play.world.put(warning("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"));
    assert_eq!(play.run(30), None, "the workload's own deadline decides");
    play.world.put_log(play.asked.first().cloned().expect("asked"), vec!["listening".to_owned()]);
    play.world.put(deployment(0, "ProgressDeadlineExceeded"));
    let (outcome, took) = play.run(2).expect("ended");
    let message = outcome.expect_err("a cause");
    assert!(message.contains("never became ready") && message.contains("statuscode: 503") && message.contains("listening"), "{message}");
    assert_eq!(took, 0);
}

fn waiting_for_a_claim() -> Value {
    let mut waits = pod("new", json!({"phase": "Pending"}));
    waits["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    waits
}

fn claim(class: &str) -> Value {
    json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "jobs", "uid": "c"},
        "spec": {"storageClassName": class}, "status": {"phase": "Pending"}})
}

#[test]
fn a_waiting_claim_is_the_cause() {
    let stand = || {
        let mut play = Play::new(&[deployment(0, "ReplicaSetUpdated"), set("2", "new"), waiting_for_a_claim()]);
        play.world.clear("StorageClass", "");
        play.world.put(json!({"kind": "StorageClass", "metadata": {"name": "slow"}, "provisioner": "disks"}));
        play.world.clear("PersistentVolumeClaim", "jobs");
        play
    };
    let mut unknown = stand();
    unknown.world.put(claim("fast"));
    let (outcome, took) = unknown.run(12).expect("ended");
    assert_eq!(outcome.expect_err("a cause"), "pod `web-x` waits for the claim `data`: there is no storage class `fast`");
    assert_eq!(took, 4);
    let early = unknown.told.iter().any(|told| matches!(told, Progress::Waiting { message, .. } if message.contains("class `fast`")));
    assert!(early, "{:?}", unknown.told);
    let (outcome, _) = stand().run(12).expect("ended");
    assert!(outcome.expect_err("a cause").contains("there is no PersistentVolumeClaim of that name in `jobs`"));
    let mut refused = stand();
    refused.world.put(claim("slow"));
    let mut event = warning("ProvisioningFailed", "the pool is full");
    event["involvedObject"] = json!({"uid": "c"});
    refused.world.put(event);
    let (outcome, took) = refused.run(12).expect("ended");
    assert!(outcome.expect_err("a cause").ends_with("waits for the claim `data`: the pool is full"));
    assert_eq!(took, 8);
}

#[test]
fn a_volume_that_takes_its_time_is_told_and_is_no_failure() {
    let mut play = Play::new(&[deployment(0, "ReplicaSetUpdated"), set("2", "new"), waiting_for_a_claim()]);
    play.world.clear("StorageClass", "");
    play.world.put(json!({"kind": "StorageClass", "metadata": {"name": "slow"}, "provisioner": "disks"}));
    play.world.put(claim("slow"));
    assert_eq!(play.run(15), None);
    let told: Vec<&Progress> = play.told.iter().filter(|told| format!("{told:?}").contains("the storage class `slow` (disks)")).collect();
    assert_eq!(told.len(), 1, "once: {:?}", play.told);
    play.world.put(deployment(0, "ProgressDeadlineExceeded"));
    let message = play.run(1).expect("ended").0.expect_err("a cause");
    assert!(message.starts_with("never became ready: pod `web-x` waits for the claim `data`"), "{message}");
}

#[test]
fn a_cause_says_how_long_after_its_first_sign_it_was_told() {
    let told = |play: &Play| {
        play.told.iter().find_map(|told| match told {
            Progress::Failed { told_after_ms, .. } => Some(*told_after_ms),
            _ => None,
        })
    };
    let mut play = Play::failing(container(json!({"running": {}}), json!({})));
    play.run(3);
    play.world.put(pod("new", container(json!({"waiting": {"reason": "CreateContainerConfigError", "message": "x"}}), json!({}))));
    let _ = play.run(10).expect("ended");
    assert_eq!(told(&play), Some(4_000));
    let mut never = Play::failing(container(json!({"running": {}}), json!({})));
    never.run(5);
    never.world.put(deployment(0, "ProgressDeadlineExceeded"));
    let _ = never.run(5).expect("ended");
    assert!(told(&never).is_some_and(|after| after <= 1_500), "from the deadline on: {:?}", told(&never));
}

#[test]
fn a_quota_is_named() {
    let mut refused = set("2", "new");
    refused["status"] = json!({"replicas": 1, "conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"web-y\" is forbidden: exceeded quota: jobs, requested: pods=1, used: pods=4, limited: pods=4"}]});
    let mut play = Play::new(&[deployment(0, "ReplicaSetUpdated"), refused]);
    let (outcome, took) = play.run(12).expect("ended");
    assert!(outcome.expect_err("a cause").contains("a quota refuses its pods: pods \"web-y\" is forbidden: exceeded quota"));
    assert_eq!(took, 8);
}

#[test]
fn old_pods_do_not_count() {
    let crash = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 1}}));
    let mut play = Play::new(&[deployment(0, "ReplicaSetUpdated"), set("1", "old"), set("2", "new"), pod("old", crash)]);
    assert_eq!(play.run(20), None);
}

#[test]
fn a_change_that_is_not_seen_yet_is_not_judged_by_the_pods_before_it() {
    let crash = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 1}}));
    let mut unseen = deployment(0, "ReplicaSetUpdated");
    unseen["metadata"]["generation"] = json!(2);
    let mut ahead = deployment(0, "ReplicaSetUpdated");
    ahead["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "3"});
    // Going back is seen by its status before its number is.
    let template = |image: &str, hash: &str| json!({"metadata": {"labels": {"app": "web", "pod-template-hash": hash}}, "spec": {"containers": [{"image": image}]}});
    let (mut back, mut failed) = (deployment(0, "ReplicaSetUpdated"), set("2", "new"));
    back["spec"]["template"] = template("good", "x");
    failed["spec"]["template"] = template("bad", "y");
    for (deployment, set) in [(unseen, set("2", "new")), (ahead, set("2", "new")), (back, failed.clone())] {
        let mut play = Play::new(&[deployment, set, pod("new", crash.clone())]);
        assert_eq!(play.run(20), None);
    }
    let mut own = deployment(0, "ReplicaSetUpdated");
    own["spec"]["template"] = template("bad", "z");
    let mut play = Play::new(&[own, failed, pod("new", crash)]);
    assert!(play.run(20).is_some_and(|(outcome, _)| outcome.is_err()));
}

#[test]
fn the_whole_has_an_end() {
    let mut play = Play::new(&[]);
    play.rollout.patience.whole = Duration::from_secs(5);
    let (outcome, took) = play.run(10).expect("ended");
    assert!(outcome.expect_err("late").contains("still not ready after 5 s: not there"));
    assert_eq!(took, 5);
}

#[test]
fn a_job_may_fail_as_often_as_it_says_itself() {
    let job = |conditions: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web", "namespace": "jobs", "uid": "j"}, "spec": {"backoffLimit": 6},
            "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1, "failed": 1, "conditions": conditions}})
    };
    let ended =
        json!({"phase": "Failed", "containerStatuses": [{"name": "web", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]});
    let looping = container(json!({"waiting": {"reason": "CrashLoopBackOff"}}), json!({"terminated": {"exitCode": 3, "reason": "Error"}}));
    for status in [ended, looping] {
        let mut play = Play::new(&[job(json!([])), pod("j", status.clone())]);
        let workload = Workload { kind: "Job".to_owned(), namespace: "jobs".to_owned(), name: "web".to_owned() };
        play.rollout = Rollout::new([workload], Patience::default(), play.now);
        assert_eq!(play.run(60), None, "{status}");
        let told =
            play.told.iter().filter(|told| matches!(told, Progress::Waiting { message, .. } if message.contains("ended with exit code 3")));
        assert_eq!(told.count(), 1, "{:?}", play.told);
        play.asked.drain(..).for_each(|log| play.world.put_log(log, vec!["no database".to_owned()]));
        let mut good = play;
        let mut bad = Play { rollout: good.rollout.clone(), world: good.world.clone(), now: good.now, told: Vec::new(), asked: Vec::new() };
        good.world.put(job(json!([{"type": "Complete", "status": "True"}])));
        assert_eq!(good.run(1), Some((Ok(()), 0)));
        bad.world.put(job(json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "x"}])));
        let (outcome, took) = bad.run(2).expect("an end");
        let cause = outcome.expect_err("it failed");
        assert!(took == 0 && cause.starts_with("container `web` of pod `web-x` ended with exit code 3"), "{cause}");
        assert!(cause.ends_with("its last line: no database"), "{cause}");
    }
}
