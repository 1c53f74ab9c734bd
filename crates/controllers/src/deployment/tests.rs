//! Rollouts on virtual time, with the ReplicaSet controller beside and pods made ready by hand.

use super::*;
use crate::replica_set;
use crate::testing::TestWorld;
use serde_json::json;
use std::time::Duration;

const BOTH: &[&Controller] = &[&CONTROLLER, &replica_set::CONTROLLER];

fn deployment(replicas: i64, strategy: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "d", "uid": "u", "generation": 1},
        "spec": {"replicas": replicas, "strategy": strategy, "progressDeadlineSeconds": 20, "revisionHistoryLimit": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "one"}]}}}})
}

fn rolling() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
}

fn image(world: &mut TestWorld, image: &str) {
    world.change(DEPLOYMENT, "d", "web", |d| d["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image));
}

fn now(world: &TestWorld) -> std::sync::Arc<Value> {
    world.get(DEPLOYMENT, "d", "web").expect("deployment")
}

fn ready_pods(world: &TestWorld) -> usize {
    world.list(POD, None).iter().filter(|pod| workload::is_ready(pod)).count()
}

fn deploy(replicas: i64, strategy: Value) -> TestWorld {
    let mut world = TestWorld::with(&[(DEPLOYMENT, deployment(replicas, strategy))]);
    world.settle_all(BOTH);
    world.run_pods();
    world.settle_all(BOTH);
    world
}

#[test]
fn becomes_complete_and_then_rests() {
    let mut world = deploy(3, rolling());
    let deployment = now(&world);
    assert_eq!(deployment.int("status.availableReplicas"), Some(3));
    assert_eq!(deployment.condition("Progressing").expect("told").text("reason"), "NewReplicaSetAvailable");
    assert_eq!(deployment.annotation("deployment.kubernetes.io/revision"), Some("1"));
    world.advance(Duration::from_secs(3_600));
    assert!(!BOTH.iter().any(|controller| world.turn(controller)), "a settled deployment is not written again");
}

#[test]
fn rolls_one_by_one_and_never_below_what_must_be_available() {
    let mut world = deploy(3, rolling());
    image(&mut world, "two");
    for _ in 0..40 {
        BOTH.iter().for_each(|controller| {
            world.turn(controller);
        });
        assert!(ready_pods(&world) >= 3, "fewer than three ready");
        assert!(world.list(POD, None).len() <= 4, "more than one above");
        world.run_pods();
    }
    let images: Vec<String> = world.list(POD, None).iter().map(|pod| pod.items("spec.containers")[0].text("image").to_owned()).collect();
    assert_eq!(images, ["two"; 3]);
    assert_eq!(now(&world).annotation("deployment.kubernetes.io/revision"), Some("2"));
}

#[test]
fn going_back_takes_the_old_set_and_gives_it_a_new_revision() {
    let mut world = deploy(2, rolling());
    for name in ["two", "one"] {
        image(&mut world, name);
        for _ in 0..20 {
            world.settle_all(BOTH);
            world.run_pods();
        }
    }
    let sets = world.list(REPLICA_SET, None);
    assert_eq!(sets.len(), 2);
    let current = sets.iter().find(|set| set.int("spec.replicas") == Some(2)).expect("current");
    assert_eq!(current.annotation("deployment.kubernetes.io/revision"), Some("3"));
}

#[test]
fn says_that_progress_is_stuck_when_the_deadline_is_over() {
    let mut world = deploy(2, rolling());
    image(&mut world, "broken");
    world.settle_all(BOTH);
    world.advance(Duration::from_secs(19));
    world.settle_all(BOTH);
    assert_eq!(now(&world).condition("Progressing").expect("told").text("status"), "True");
    world.advance(Duration::from_secs(2));
    world.settle_all(BOTH);
    let deployment = now(&world);
    let progressing = deployment.condition("Progressing").expect("told");
    assert_eq!((progressing.text("status"), progressing.text("reason")), ("False", "ProgressDeadlineExceeded"));
    assert_eq!(ready_pods(&world), 2, "the old pods go on serving");
}

#[test]
fn pods_that_are_lost_long_after_a_rollout_are_no_stuck_progress() {
    let mut world = deploy(2, rolling());
    world.advance(Duration::from_secs(3_600));
    for pod in world.list(POD, None) {
        world.change(POD, "d", pod.name(), |pod| pod["status"]["conditions"][0]["status"] = json!("False"));
    }
    world.settle_all(BOTH);
    world.advance(Duration::from_secs(3_600));
    world.settle_all(BOTH);
    let deployment = now(&world);
    assert_eq!(deployment.condition("Progressing").expect("told").text("reason"), "NewReplicaSetAvailable");
    assert_eq!(deployment.condition("Available").expect("told").text("status"), "False");
}

#[test]
fn recreate_ends_all_before_it_begins() {
    let mut world = deploy(2, json!({"type": "Recreate"}));
    image(&mut world, "two");
    world.settle_all(BOTH);
    let mixed: Vec<_> = world.list(POD, None).iter().map(|pod| pod.items("spec.containers")[0].text("image").to_owned()).collect();
    assert_eq!(mixed, ["two"; 2]);
    assert_eq!(now(&world).int("status.updatedReplicas"), Some(2));
}

#[test]
fn scaling_in_the_middle_of_a_rollout_keeps_proportions_and_old_sets_are_bounded() {
    let mut world = deploy(4, rolling());
    image(&mut world, "two");
    world.settle_all(BOTH);
    world.change(DEPLOYMENT, "d", "web", |d| d.set("spec.replicas", 8));
    world.settle_all(BOTH);
    assert!(world.list(POD, None).len() <= 9);
    for name in ["three", "four", "five"] {
        image(&mut world, name);
        for _ in 0..40 {
            world.settle_all(BOTH);
            world.run_pods();
        }
    }
    assert_eq!(ready_pods(&world), 8);
    assert_eq!(world.list(REPLICA_SET, None).len(), 2, "the current set and one of history");
}

#[test]
fn scaling_a_stuck_rollout_gives_each_set_its_rounded_share() {
    let mut world = deploy(10, json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}));
    image(&mut world, "missing");
    world.settle_all(BOTH);
    let sizes = |world: &TestWorld| -> Vec<i64> {
        let mut sizes: Vec<i64> = world.list(REPLICA_SET, None).iter().filter_map(|set| set.int("spec.replicas")).collect();
        sizes.sort();
        sizes
    };
    assert_eq!(sizes(&world), [5, 8]);
    world.change(DEPLOYMENT, "d", "web", |d| d.set("spec.replicas", 30));
    world.settle_all(BOTH);
    assert_eq!(sizes(&world), [13, 20]);
}
