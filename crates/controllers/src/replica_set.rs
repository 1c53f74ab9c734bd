//! ReplicaSet: keeps as many pods as asked.

use crate::replicas::Owner;
use crate::workload;
use crate::world::{Controller, Watch};
use k8s::Fields;
use k8s::kinds::{POD, REPLICA_SET};
use k8s::labels::Selector;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "replicaset-controller",
    watches: &[
        Watch { kind: REPLICA_SET, concerns: |set, _| workload::itself(REPLICA_SET, set) },
        Watch { kind: POD, concerns: |pod, world| OWNER.concerns(pod, world) },
    ],
    step: |reference, world, now| OWNER.step(reference, world, now),
};

const OWNER: Owner = Owner {
    kind: REPLICA_SET,
    selector: |set| Selector::from_object(set.at("spec.selector")).unwrap_or_default(),
    tells_terminating: true,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replicas;
    use crate::testing::TestWorld;
    use crate::world::{World, Write};
    use k8s::{ApiError, ObjectRef, Value};
    use serde_json::json;

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
        let step = OWNER.step(&ObjectRef::new(REPLICA_SET, "d", "web"), &world, world.now);
        assert_eq!(step.again, Some(replicas::RETRY));
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
