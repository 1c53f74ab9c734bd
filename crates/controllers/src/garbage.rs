//! Garbage collection: what goes when its owner goes, and in which order.

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::EVENTS_EVENT;
use k8s::{Fields, KINDS, Kind, ObjectRef, Value};
use std::sync::Arc;

/// See the module.
pub const CONTROLLER: Controller = Controller { name: "generic-garbage-collector", watches: &WATCHES, step };

const WATCHES: [Watch; KINDS.len()] = crate::world::all_kinds(concerns);
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

fn concerns(object: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let Some(kind) = k8s::kinds::find(object.text("apiVersion"), object.text("kind")) else { return Vec::new() };
    let mut concerned = Vec::new();
    let itself = ObjectRef::of(kind, object);
    let is_gone = world.find(&itself).is_none_or(|now| now.uid() != object.uid());
    // Only an object that goes can leave others without an owner.
    if is_gone || object.is_terminating() {
        concerned.extend(dependents(object, world).into_iter().map(|(kind, object)| ObjectRef::of(kind, &object)));
        // An owner that waits for its dependents looks again.
        concerned.extend(owners(object).filter(|owner| world.find(owner).is_some_and(|owner| owner.is_terminating())));
    }
    if !is_gone && (object.is_terminating() || !object.items("metadata.ownerReferences").is_empty()) {
        concerned.push(itself);
    }
    concerned
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(object) = world.find(reference) else { return Step::done() };
    if object.is_terminating() {
        return Step::write(finalize(reference.kind, &object, world));
    }
    let references = object.items("metadata.ownerReferences");
    if references.is_empty() {
        return Step::done();
    }
    let states: Vec<Owner> = references.iter().map(|owner| state(owner, object.namespace(), world)).collect();
    if states.contains(&Owner::There) {
        let going = references.iter().zip(&states).filter(|(_, state)| **state != Owner::There);
        let going: Vec<&str> = going.map(|(owner, _)| owner.text("uid")).collect();
        // One owner is enough to live; the others are forgotten, so that none of them waits for this one.
        return if going.is_empty() {
            Step::done()
        } else {
            Step::write(vec![Write::Update(reference.kind, without_owners(&object, &going))])
        };
    }
    if !states.contains(&Owner::Waiting) {
        return Step::write(vec![delete(reference.kind, &object, "Background")]);
    }
    let own = dependents(&object, world);
    let mut writes = Vec::new();
    if own.iter().any(|(_, dependent)| dependent.is_terminating() && has_finalizer(dependent, FOREGROUND)) {
        // They may be owners in a circle, in which everybody would wait for the next.
        writes.extend(unblocked(reference.kind, &object));
    }
    writes.push(delete(reference.kind, &object, if own.is_empty() { "Background" } else { "Foreground" }));
    Step::write(writes)
}

#[derive(PartialEq)]
enum Owner {
    There,
    Waiting,
    Gone,
}

fn state(owner: &Value, namespace: &str, world: &dyn World) -> Owner {
    let Some(kind) = k8s::kinds::find(owner.text("apiVersion"), owner.text("kind")) else { return Owner::There };
    let found = world.get(kind, if kind.is_namespaced() { namespace } else { "" }, owner.text("name"));
    match found.filter(|found| found.uid() == owner.text("uid")) {
        None => Owner::Gone,
        Some(found) if found.is_terminating() && has_finalizer(&found, FOREGROUND) && owner.flag("blockOwnerDeletion") => Owner::Waiting,
        Some(_) => Owner::There,
    }
}

fn finalize(kind: &'static Kind, object: &Value, world: &dyn World) -> Vec<Write> {
    if has_finalizer(object, ORPHAN) {
        let left = dependents(object, world);
        let orphaned = left.iter().map(|(kind, dependent)| Write::Update(kind, without_owners(dependent, &[object.uid()])));
        return orphaned.chain([without_finalizer(kind, object, ORPHAN)]).collect();
    }
    if !has_finalizer(object, FOREGROUND) {
        return Vec::new();
    }
    let left = dependents(object, world);
    let blocks = |dependent: &Value| {
        dependent
            .items("metadata.ownerReferences")
            .iter()
            .any(|owner| owner.text("uid") == object.uid() && owner.flag("blockOwnerDeletion"))
    };
    // Those that block are looked at by themselves: another owner may let them live.
    if left.iter().any(|(_, dependent)| blocks(dependent)) { Vec::new() } else { vec![without_finalizer(kind, object, FOREGROUND)] }
}

fn dependents(owner: &Value, world: &dyn World) -> Vec<(&'static Kind, Arc<Value>)> {
    let namespace = Some(owner.namespace()).filter(|namespace| !namespace.is_empty());
    let kinds = KINDS.iter().copied().filter(|kind| *kind != EVENTS_EVENT && (namespace.is_none() || kind.is_namespaced()));
    let objects = kinds.flat_map(|kind| world.list(kind, namespace).into_iter().map(move |object| (kind, object)));
    objects
        .filter(|(_, object)| object.items("metadata.ownerReferences").iter().any(|reference| reference.text("uid") == owner.uid()))
        .collect()
}

fn owners(object: &Value) -> impl Iterator<Item = ObjectRef> {
    object.items("metadata.ownerReferences").iter().filter_map(|owner| {
        let kind = k8s::kinds::find(owner.text("apiVersion"), owner.text("kind"))?;
        Some(ObjectRef::new(kind, if kind.is_namespaced() { object.namespace() } else { "" }, owner.text("name")))
    })
}

fn has_finalizer(object: &Value, name: &str) -> bool {
    object.items("metadata.finalizers").iter().any(|finalizer| finalizer.as_str() == Some(name))
}

fn without_finalizer(kind: &'static Kind, object: &Value, name: &str) -> Write {
    let mut object = object.clone();
    let left: Vec<Value> =
        object.items("metadata.finalizers").iter().filter(|finalizer| finalizer.as_str() != Some(name)).cloned().collect();
    object.set("metadata.finalizers", left);
    Write::Update(kind, object)
}

fn without_owners(object: &Value, uids: &[&str]) -> Value {
    let mut object = object.clone();
    let mut left: Vec<Value> = object.items("metadata.ownerReferences").to_vec();
    left.retain(|owner| !uids.contains(&owner.text("uid")));
    object.set("metadata.ownerReferences", left);
    object
}

/// The object as one that none of its owners waits for; nothing when none does.
fn unblocked(kind: &'static Kind, object: &Value) -> Option<Write> {
    let mut owners: Vec<Value> = object.items("metadata.ownerReferences").to_vec();
    owners.iter_mut().filter(|owner| owner.flag("blockOwnerDeletion")).for_each(|owner| owner.set("blockOwnerDeletion", false));
    let mut changed = object.clone();
    changed.set("metadata.ownerReferences", owners);
    (changed != *object).then_some(Write::Update(kind, changed))
}

fn delete(kind: &'static Kind, object: &Value, propagation: &'static str) -> Write {
    Write::Delete { object: ObjectRef::of(kind, object), uid: object.uid().to_owned(), propagation, now: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;
    use k8s::kinds::{CONFIG_MAP, SECRET};
    use serde_json::json;

    fn owner(extra: Value) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o", "namespace": "d", "uid": "o"}});
        for (key, value) in extra.as_object().expect("members") {
            object["metadata"][key] = value.clone();
        }
        object
    }

    fn dependent() -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "d", "uid": "s",
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "o", "blockOwnerDeletion": true}]}})
    }

    #[test]
    fn dependents_go_with_their_owner_and_only_then() {
        let mut world = TestWorld::with(&[(CONFIG_MAP, owner(json!({}))), (SECRET, dependent())]);
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").is_some());
        world.remove(CONFIG_MAP, "d", "o");
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").is_none());
    }

    #[test]
    fn an_owner_of_the_same_name_but_another_uid_is_no_owner() {
        let mut world = TestWorld::with(&[(CONFIG_MAP, owner(json!({"uid": "new"}))), (SECRET, dependent())]);
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").is_none());
    }

    #[test]
    fn foreground_waits_and_orphan_lets_live() {
        let going = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]});
        let mut world = TestWorld::with(&[(CONFIG_MAP, owner(going)), (SECRET, dependent())]);
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").is_none());
        assert!(world.get(CONFIG_MAP, "d", "o").expect("for the server to remove").items("metadata.finalizers").is_empty());
        let going = json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["orphan"]});
        let mut world = TestWorld::with(&[(CONFIG_MAP, owner(going)), (SECRET, dependent())]);
        world.settle(&CONTROLLER);
        assert!(world.get(SECRET, "d", "s").expect("lives").items("metadata.ownerReferences").is_empty());
    }

    #[test]
    fn a_second_owner_keeps_it_alive_and_the_first_does_not_wait() {
        let going = owner(json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}));
        let mut shared = dependent();
        let second = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "p"});
        shared["metadata"]["ownerReferences"].as_array_mut().expect("owners").push(second.clone());
        let mut world = TestWorld::with(&[(CONFIG_MAP, going), (CONFIG_MAP, owner(json!({"name": "p", "uid": "p"}))), (SECRET, shared)]);
        world.settle(&CONTROLLER);
        assert_eq!(world.get(SECRET, "d", "s").expect("lives").items("metadata.ownerReferences"), [second]);
        assert!(world.get(CONFIG_MAP, "d", "o").expect("for the server to remove").items("metadata.finalizers").is_empty());
    }

    #[test]
    fn a_circle_of_owners_blocks_nobody() {
        let map = |name: &str, of: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "d", "uid": name,
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": of, "uid": of, "blockOwnerDeletion": true}]}})
        };
        let mut first = map("a", "c");
        first.set("metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
        first.set("metadata.finalizers", json!(["foregroundDeletion"]));
        let mut second = map("b", "a");
        second.set("metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
        second.set("metadata.finalizers", json!(["foregroundDeletion"]));
        let mut world = TestWorld::with(&[(CONFIG_MAP, first), (CONFIG_MAP, second), (CONFIG_MAP, map("c", "b"))]);
        let step = step(&ObjectRef::new(CONFIG_MAP, "d", "c"), &world, world.now);
        let [Write::Update(_, unblocked), Write::Delete { propagation: "Foreground", .. }] = step.writes.as_slice() else {
            panic!("{step:?}")
        };
        assert!(!unblocked.items("metadata.ownerReferences")[0].flag("blockOwnerDeletion"));
        world.settle(&CONTROLLER);
        let is_free = |world: &TestWorld, name: &str| {
            world.get(CONFIG_MAP, "d", name).expect("for the server to remove").items("metadata.finalizers").is_empty()
        };
        assert!(is_free(&world, "b") && !is_free(&world, "a"));
        world.remove(CONFIG_MAP, "d", "b");
        world.settle(&CONTROLLER);
        assert!(is_free(&world, "a"));
    }
}
