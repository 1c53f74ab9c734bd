//! ReplicationController: the older sister of the ReplicaSet, whose selector is a plain map.

use crate::replicas::Owner;
use crate::workload;
use crate::world::{Controller, Watch};
use k8s::Fields;
use k8s::kinds::{POD, REPLICATION_CONTROLLER};
use k8s::labels::Selector;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "replication-controller",
    watches: &[
        Watch { kind: REPLICATION_CONTROLLER, concerns: |set, _| workload::itself(REPLICATION_CONTROLLER, set) },
        Watch { kind: POD, concerns: |pod, world| OWNER.concerns(pod, world) },
    ],
    step: |reference, world, now| OWNER.step(reference, world, now),
};

const OWNER: Owner =
    Owner { kind: REPLICATION_CONTROLLER, selector: |set| Selector::from_map(&set.texts("spec.selector")), tells_terminating: false };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica_set;
    use crate::testing::TestWorld;
    use crate::world::World;
    use k8s::kinds::REPLICA_SET;
    use serde_json::json;

    #[test]
    fn keeps_pods_of_its_own_and_leaves_those_of_a_set() {
        let template =
            json!({"metadata": {"name": "ignored", "labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let older = json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "old", "namespace": "d", "uid": "u1"},
            "spec": {"replicas": 2, "selector": {"app": "web"}, "template": template}});
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "new", "namespace": "d", "uid": "u2"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
        let mut world = TestWorld::with(&[(REPLICATION_CONTROLLER, older), (REPLICA_SET, set)]);
        world.settle_all(&[&CONTROLLER, &replica_set::CONTROLLER]);
        assert_eq!((world.controlled(POD, "d", "u1").len(), world.controlled(POD, "d", "u2").len()), (2, 1));
        let owner = world.controlled(POD, "d", "u1")[0].controller().expect("owned").clone();
        assert_eq!((owner.text("apiVersion"), owner.text("kind")), ("v1", "ReplicationController"));
        let told = world.get(REPLICATION_CONTROLLER, "d", "old").expect("there");
        assert_eq!(told.int("status.replicas"), Some(2));
        assert!(told.at("status.terminatingReplicas").is_none(), "no field of this kind");
        world.change(REPLICATION_CONTROLLER, "d", "old", |set| set.set("spec.replicas", 0));
        world.settle_all(&[&CONTROLLER, &replica_set::CONTROLLER]);
        assert_eq!((world.controlled(POD, "d", "u1").len(), world.controlled(POD, "d", "u2").len()), (0, 1));
    }
}
