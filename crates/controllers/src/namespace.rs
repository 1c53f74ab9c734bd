//! Namespace: empties what is being deleted, and lets it go when nothing is left.

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{EVENT, EVENTS_EVENT, NAMESPACE};
use k8s::{Fields, KINDS, Kind, ObjectRef, Value};

/// See the module.
pub const CONTROLLER: Controller = Controller { name: "namespace-controller", watches: &WATCHES, step };

const WATCHES: [Watch; KINDS.len()] = crate::world::all_kinds(concerns);

fn concerns(object: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let name = if object.namespace().is_empty() { object.name() } else { object.namespace() };
    let namespace = world.get(NAMESPACE, "", name).filter(|namespace| namespace.is_terminating());
    namespace.map(|namespace| ObjectRef::of(NAMESPACE, &namespace)).into_iter().collect()
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(namespace) = world.find(reference).filter(|namespace| namespace.is_terminating()) else { return Step::done() };
    let mut left = 0usize;
    let mut writes = Vec::new();
    for kind in KINDS.iter().copied().filter(|kind| counts(kind)) {
        for object in world.list(kind, Some(namespace.name())) {
            left += 1;
            if !object.is_terminating() {
                writes.push(Write::Delete {
                    object: ObjectRef::of(kind, &object),
                    uid: object.uid().to_owned(),
                    propagation: "Background",
                    now: false,
                });
            }
        }
    }
    if left == 0 && !namespace.items("spec.finalizers").is_empty() {
        writes.push(Write::Finalize(reference.clone()));
    }
    Step::write(writes)
}

/// Both kinds of events are views of the same objects; one of them is enough.
fn counts(kind: &'static Kind) -> bool {
    kind.is_namespaced() && kind != EVENTS_EVENT || kind == EVENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;
    use k8s::kinds::CONFIG_MAP;
    use serde_json::json;

    #[test]
    fn empties_and_lets_go() {
        let namespace = json!({"metadata": {"name": "d", "uid": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"finalizers": ["kubernetes"]}});
        let map = json!({"metadata": {"name": "m", "namespace": "d", "uid": "m"}});
        let other = json!({"metadata": {"name": "m", "namespace": "e", "uid": "o"}});
        let mut world = TestWorld::with(&[(NAMESPACE, namespace), (CONFIG_MAP, map), (CONFIG_MAP, other)]);
        world.settle(&CONTROLLER);
        assert!(world.get(NAMESPACE, "", "d").is_none());
        assert_eq!(world.list(CONFIG_MAP, None).len(), 1);
    }
}
