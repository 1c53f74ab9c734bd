//! Keeping as many pods as asked: what ReplicaSets and ReplicationControllers share.

use crate::workload::{self, Availability};
use crate::world::{Step, World, Write};
use base::Timestamp;
use k8s::kinds::POD;
use k8s::labels::Selector;
use k8s::{Fields, Kind, ObjectRef, Value};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A kind whose objects keep pods.
pub struct Owner {
    /// Which.
    pub kind: &'static Kind,
    /// Which pods an object counts as its own.
    pub selector: fn(&Value) -> Selector,
    /// Whether the status tells how many pods are about to go.
    pub tells_terminating: bool,
}

/// How long to wait after a refused creation before trying again.
pub const RETRY: Duration = Duration::from_secs(2);
/// Pods made in one turn; the rest follows in the next.
const BURST: usize = 100;

impl Owner {
    /// The objects that a pod's change concerns.
    pub fn concerns(&self, pod: &Value, world: &dyn World) -> Vec<ObjectRef> {
        if pod.controller().is_some() {
            return workload::controller_of(self.kind, pod);
        }
        // An orphan may be adopted.
        workload::referring(world, self.kind, pod.namespace(), |set| {
            let selector = (self.selector)(set);
            !selector.is_empty() && selector.matches(pod)
        })
    }

    /// One turn for one object.
    pub fn step(&self, reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
        let Some(set) = world.find(reference) else { return Step::done() };
        let mut writes = self.adoptions(&set, world);
        if !writes.is_empty() {
            return Step::write(writes);
        }
        let pods = world.controlled(POD, set.namespace(), set.uid());
        let active: Vec<_> = pods.iter().filter(|pod| workload::is_active(pod)).cloned().collect();
        let wanted = set.int("spec.replicas").unwrap_or(1).max(0);
        let missing = wanted - i64::try_from(active.len()).unwrap_or(i64::MAX);
        let refused = world.failures().first();
        let (status, again) = self.status(&set, &pods, &active, refused.map(|error| error.message.as_str()), now);
        if set.at("status") != Some(&status) {
            let mut changed = (*set).clone();
            changed["status"] = status;
            writes.push(Write::UpdateStatus(self.kind, changed));
        }
        let mut step = Step { writes, again };
        if let Some(error) = refused {
            let message = format!("Error creating: {}", error.message);
            step.writes.push(self.event(&set, true, "FailedCreate", message));
            return step.again_in(RETRY);
        }
        if !set.is_terminating() {
            step.writes.extend(self.scale(&set, &active, missing, now));
        }
        step
    }

    fn scale(&self, set: &Value, active: &[Arc<Value>], missing: i64, now: Timestamp) -> Vec<Write> {
        if missing > 0 {
            let count = usize::try_from(missing).unwrap_or(0).min(BURST);
            return (0..count).map(|_| Write::Create(POD, self.pod_of(set))).collect();
        }
        let surplus = usize::try_from(-missing).unwrap_or(0);
        let mut ranked: Vec<_> = active.iter().collect();
        ranked.sort_by_key(|pod| rank(pod, now));
        ranked.into_iter().take(surplus).map(|pod| delete(pod)).collect()
    }

    fn pod_of(&self, set: &Value) -> Value {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": set.at("spec.template.spec").cloned().unwrap_or_default()});
        // Of a template's metadata these pass on; a name would be that of every pod.
        for name in ["labels", "annotations", "finalizers"] {
            if let Some(value) = set.at(&format!("spec.template.metadata.{name}")) {
                pod.set(&format!("metadata.{name}"), value.clone());
            }
        }
        pod.set("metadata.generateName", format!("{}-", set.name()));
        pod.set("metadata.namespace", set.namespace());
        pod.set("metadata.ownerReferences", json!([workload::controller_reference(self.kind, set)]));
        pod
    }

    fn adoptions(&self, set: &Value, world: &dyn World) -> Vec<Write> {
        let selector = (self.selector)(set);
        if set.is_terminating() || selector.is_empty() {
            return Vec::new();
        }
        let pods = world.list(POD, Some(set.namespace()));
        let claim = |pod: &&Arc<Value>| -> bool { pod.controller().is_none() && workload::is_active(pod) && selector.matches(pod) };
        let adopted = pods.iter().filter(claim).map(|pod| {
            let mut pod = (**pod).clone();
            let mut owners = pod.items("metadata.ownerReferences").to_vec();
            owners.push(workload::controller_reference(self.kind, set));
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

    fn status(
        &self,
        set: &Value,
        pods: &[Arc<Value>],
        active: &[Arc<Value>],
        refused: Option<&str>,
        now: Timestamp,
    ) -> (Value, Option<Duration>) {
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
            let terminating = name == "terminatingReplicas";
            if (number > 0 && !terminating) || (terminating && self.tells_terminating) {
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

    fn event(&self, set: &Value, warning: bool, reason: &'static str, message: String) -> Write {
        Write::Event { regarding: ObjectRef::of(self.kind, set), uid: set.uid().to_owned(), warning, reason, message }
    }
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
