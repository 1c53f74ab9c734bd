//! ReplicaSet: keeps as many pods as asked.

use crate::workload::{self, Availability};
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{POD, REPLICA_SET};
use k8s::labels::Selector;
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "replicaset-controller",
    watches: &[Watch { kind: REPLICA_SET, concerns: |set, _| workload::itself(REPLICA_SET, set) }, Watch { kind: POD, concerns }],
    step,
};

/// How long to wait after a refused creation before trying again.
const RETRY: Duration = Duration::from_secs(2);
/// Pods made in one turn; the rest follows in the next.
const BURST: usize = 100;

fn concerns(pod: &Value, world: &dyn World) -> Vec<ObjectRef> {
    if pod.controller().is_some() {
        return workload::controller_of(REPLICA_SET, pod);
    }
    // An orphan may be adopted.
    workload::referring(world, REPLICA_SET, pod.namespace(), |set| {
        Selector::from_object(set.at("spec.selector")).is_some_and(|selector| !selector.is_empty() && selector.matches(pod))
    })
}

fn step(reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
    let Some(set) = world.find(reference) else { return Step::done() };
    let selector = Selector::from_object(set.at("spec.selector")).unwrap_or_default();
    let mut writes = adoptions(&set, &selector, world);
    if !writes.is_empty() {
        return Step::write(writes);
    }
    let pods = world.controlled(POD, set.namespace(), set.uid());
    let active: Vec<_> = pods.iter().filter(|pod| workload::is_active(pod)).cloned().collect();
    let wanted = set.int("spec.replicas").unwrap_or(1).max(0);
    let missing = wanted - i64::try_from(active.len()).unwrap_or(i64::MAX);
    let refused = world.failures().first();
    let (status, again) = status(&set, &pods, &active, refused.map(|error| error.message.as_str()), now);
    if set.at("status") != Some(&status) {
        let mut changed = (*set).clone();
        changed["status"] = status;
        writes.push(Write::UpdateStatus(REPLICA_SET, changed));
    }
    let mut step = Step { writes, again };
    if let Some(error) = refused {
        let message = format!("Error creating: {}", error.message);
        step.writes.push(event(&set, true, "FailedCreate", message));
        return step.again_in(RETRY);
    }
    if !set.is_terminating() {
        step.writes.extend(scale(&set, &active, missing, now));
    }
    step
}

fn scale(set: &Value, active: &[Arc<Value>], missing: i64, now: Timestamp) -> Vec<Write> {
    if missing > 0 {
        let count = usize::try_from(missing).unwrap_or(0).min(BURST);
        return (0..count).map(|_| Write::Create(POD, pod_of(set))).collect();
    }
    let surplus = usize::try_from(-missing).unwrap_or(0);
    let mut ranked: Vec<_> = active.iter().collect();
    ranked.sort_by_key(|pod| rank(pod, now));
    ranked.into_iter().take(surplus).map(|pod| delete(pod)).collect()
}

/// Which pod goes first: unassigned, not ready, low deletion cost, ready for the shortest time, restarted most, youngest.
fn rank(pod: &Value, now: Timestamp) -> impl Ord + use<> {
    let assigned = !pod.text("spec.nodeName").is_empty();
    let running = pod.text("status.phase") == "Running";
    let ready = workload::is_ready(pod);
    let cost: i32 = pod.annotation("controller.kubernetes.io/pod-deletion-cost").and_then(|cost| cost.parse().ok()).unwrap_or(0);
    let ready_for = pod.condition("Ready").and_then(|c| c.time("lastTransitionTime")).map_or(Duration::ZERO, |since| now.since(since));
    let restarts = pod.items("status.containerStatuses").iter().filter_map(|status| status.int("restartCount")).max().unwrap_or(0);
    (
        assigned,
        running,
        ready,
        cost,
        ready_for,
        std::cmp::Reverse(restarts),
        std::cmp::Reverse(pod.text("metadata.creationTimestamp").to_owned()),
    )
}

fn delete(pod: &Value) -> Write {
    Write::Delete { object: ObjectRef::of(POD, pod), uid: pod.uid().to_owned(), propagation: "Background", now: false }
}

fn pod_of(set: &Value) -> Value {
    let mut pod = set.at("spec.template").cloned().unwrap_or_else(|| json!({}));
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod.unset("metadata.creationTimestamp");
    pod.set("metadata.generateName", format!("{}-", set.name()));
    pod.set("metadata.namespace", set.namespace());
    pod.set("metadata.ownerReferences", json!([workload::controller_reference(REPLICA_SET, set)]));
    pod
}

fn adoptions(set: &Value, selector: &Selector, world: &dyn World) -> Vec<Write> {
    if set.is_terminating() || selector.is_empty() {
        return Vec::new();
    }
    let pods = world.list(POD, Some(set.namespace()));
    let claim = |pod: &&Arc<Value>| -> bool { pod.controller().is_none() && workload::is_active(pod) && selector.matches(pod) };
    let adopted = pods.iter().filter(claim).map(|pod| {
        let mut pod = (**pod).clone();
        let mut owners = pod.items("metadata.ownerReferences").to_vec();
        owners.push(workload::controller_reference(REPLICA_SET, set));
        pod.set("metadata.ownerReferences", owners);
        Write::Update(POD, pod)
    });
    // A pod whose labels were changed is let go.
    let lost = |pod: &&Arc<Value>| -> bool {
        pod.controller().is_some_and(|owner| owner.text("uid") == set.uid()) && !pod.is_terminating() && !selector.matches(pod)
    };
    let released = pods.iter().filter(lost).map(|pod| {
        let mut pod = (**pod).clone();
        let owners: Vec<Value> =
            pod.items("metadata.ownerReferences").iter().filter(|owner| owner.text("uid") != set.uid()).cloned().collect();
        pod.set("metadata.ownerReferences", owners);
        Write::Update(POD, pod)
    });
    adopted.chain(released).collect()
}

fn status(set: &Value, pods: &[Arc<Value>], active: &[Arc<Value>], refused: Option<&str>, now: Timestamp) -> (Value, Option<Duration>) {
    let template = Selector::from_map(&set.texts("spec.template.metadata.labels"));
    let min_ready = set.int("spec.minReadySeconds").unwrap_or(0);
    let seen: Vec<_> = active.iter().map(|pod| workload::availability(pod, min_ready, now)).collect();
    let again = seen.iter().filter_map(|seen| if let Availability::In(time) = seen { Some(*time) } else { None }).min();
    let count = |number: usize| json!(number);
    let mut status = serde_json::Map::new();
    status.insert("replicas".into(), count(active.len()));
    status.insert("observedGeneration".into(), json!(set.int("metadata.generation").unwrap_or(0)));
    for (name, number) in [
        ("fullyLabeledReplicas", active.iter().filter(|pod| template.matches(pod)).count()),
        ("readyReplicas", active.iter().filter(|pod| workload::is_ready(pod)).count()),
        ("availableReplicas", seen.iter().filter(|seen| **seen == Availability::Yes).count()),
        ("terminatingReplicas", pods.iter().filter(|pod| pod.is_terminating()).count()),
    ] {
        if number > 0 || name == "terminatingReplicas" {
            status.insert(name.into(), count(number));
        }
    }
    let mut conditions = set.items("status.conditions").to_vec();
    let complete = i64::try_from(active.len()).ok() == set.int("spec.replicas");
    match refused {
        Some(message) => {
            workload::set_condition(&mut conditions, "ReplicaFailure", "True", "FailedCreate", message, now);
        }
        None if complete => conditions.retain(|condition| condition.text("type") != "ReplicaFailure"),
        None => {}
    }
    for condition in &mut conditions {
        condition.unset("lastUpdateTime");
    }
    if !conditions.is_empty() {
        status.insert("conditions".into(), json!(conditions));
    }
    (Value::Object(status), again)
}

fn event(set: &Value, warning: bool, reason: &'static str, message: String) -> Write {
    Write::Event { regarding: ObjectRef::of(REPLICA_SET, set), uid: set.uid().to_owned(), warning, reason, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;
    use k8s::ApiError;

    fn set(replicas: i64) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "d", "uid": "u1", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    }

    #[test]
    fn makes_what_is_missing_and_nothing_more() {
        let mut world = TestWorld::with(&[(REPLICA_SET, set(3))]);
        world.settle(&CONTROLLER);
        let pods = world.list(POD, Some("d"));
        assert_eq!(pods.len(), 3);
        assert_eq!(pods[0].controller().expect("owned").text("uid"), "u1");
        assert_eq!(world.get(REPLICA_SET, "d", "web").expect("set").int("status.replicas"), Some(3));
    }

    #[test]
    fn takes_unready_pods_first_when_there_are_too_many() {
        let mut world = TestWorld::with(&[(REPLICA_SET, set(2))]);
        world.settle(&CONTROLLER);
        let names: Vec<String> = world.list(POD, None).iter().map(|pod| pod.name().to_owned()).collect();
        world.ready(&names[0]);
        world.change(REPLICA_SET, "d", "web", |set| set.set("spec.replicas", 1));
        world.settle(&CONTROLLER);
        let left: Vec<String> = world.list(POD, None).iter().map(|pod| pod.name().to_owned()).collect();
        assert_eq!(left, [names[0].clone()]);
    }

    #[test]
    fn a_refused_pod_is_told_in_the_status_and_tried_again() {
        let mut world = TestWorld::with(&[(REPLICA_SET, set(1))]);
        world.failures = vec![ApiError::forbidden(POD, "web-1", "exceeded quota: q")];
        let step = step(&ObjectRef::new(REPLICA_SET, "d", "web"), &world, world.now);
        assert_eq!(step.again, Some(RETRY));
        let Write::UpdateStatus(_, told) = &step.writes[0] else { panic!("{step:?}") };
        assert!(told.condition("ReplicaFailure").expect("told").text("message").contains("exceeded quota: q"));
        assert!(!step.writes.iter().any(|write| matches!(write, Write::Create(..))));
    }

    #[test]
    fn adopts_orphans_and_lets_relabelled_pods_go() {
        let orphan = json!({"metadata": {"name": "o", "namespace": "d", "uid": "p", "labels": {"app": "web"}}});
        let mut world = TestWorld::with(&[(REPLICA_SET, set(1)), (POD, orphan)]);
        world.settle(&CONTROLLER);
        assert_eq!(world.list(POD, None).len(), 1);
        world.change(POD, "d", "o", |pod| pod.set("metadata.labels.app", "other"));
        world.settle(&CONTROLLER);
        assert_eq!(world.list(POD, None).len(), 2);
        assert!(world.get(POD, "d", "o").expect("kept").controller().is_none());
    }
}
