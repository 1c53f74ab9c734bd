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
        return Step::done();
    }
    let propagation = if states.contains(&Owner::Waiting) { "Foreground" } else { "Background" };
    Step::write(vec![delete(reference.kind, &object, propagation)])
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
        let orphaned = left.iter().map(|(kind, dependent)| Write::Update(kind, without_owner(dependent, object.uid())));
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
    if !left.iter().any(|(_, dependent)| blocks(dependent)) {
        return vec![without_finalizer(kind, object, FOREGROUND)];
    }
    let deletable = left.iter().filter(|(_, dependent)| !dependent.is_terminating());
    deletable.map(|(kind, dependent)| delete(kind, dependent, "Foreground")).collect()
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

fn without_owner(object: &Value, uid: &str) -> Value {
    let mut object = object.clone();
    let left: Vec<Value> = object.items("metadata.ownerReferences").iter().filter(|owner| owner.text("uid") != uid).cloned().collect();
    object.set("metadata.ownerReferences", left);
    object
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
}
