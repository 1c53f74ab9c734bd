//! Namespace: empties what is being deleted, and lets it go when nothing is left.

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{EVENT, EVENTS_EVENT, NAMESPACE, POD};
use k8s::{Fields, KINDS, Kind, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub const CONTROLLER: Controller = Controller { name: "namespace-controller", watches: &WATCHES, step };

const WATCHES: [Watch; KINDS.len()] = crate::world::all_kinds(concerns);

fn concerns(object: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let name = if object.namespace().is_empty() { object.name() } else { object.namespace() };
    let namespace = world.get(NAMESPACE, "", name).filter(|namespace| namespace.is_terminating());
    namespace.map(|namespace| ObjectRef::of(NAMESPACE, &namespace)).into_iter().collect()
}

// Pods go first, so that none outlives the policies and the configuration that it was started with. Source: KEP-5080.
fn step(reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
    let Some(namespace) = world.find(reference).filter(|namespace| namespace.is_terminating()) else { return Step::done() };
    let mut left = Left::of(world, namespace.name(), &[POD]);
    if left.objects.is_empty() {
        let others: Vec<&'static Kind> = KINDS.iter().copied().filter(|kind| counts(kind)).collect();
        left = Left::of(world, namespace.name(), &others);
    }
    let mut writes = left.deletes();
    if left.objects.is_empty() {
        if namespace.items("spec.finalizers").iter().any(|finalizer| finalizer == "kubernetes") {
            writes.push(Write::Finalize(reference.clone()));
        }
    } else if writes.is_empty() {
        // Only what is waited for is told: a namespace that goes at once is not written for nothing.
        writes.extend(told(&namespace, &left, world, now));
    }
    Step::write(writes)
}

/// What is still there.
struct Left {
    objects: Vec<(&'static Kind, Arc<Value>)>,
}

impl Left {
    fn of(world: &dyn World, namespace: &str, kinds: &[&'static Kind]) -> Self {
        let of_kind = |kind: &&'static Kind| {
            let kind = *kind;
            world.list(kind, Some(namespace)).into_iter().map(move |object| (kind, object))
        };
        Self { objects: kinds.iter().flat_map(of_kind).collect() }
    }

    fn deletes(&self) -> Vec<Write> {
        let staying = self.objects.iter().filter(|(_, object)| !object.is_terminating());
        let delete = |(kind, object): &(&'static Kind, Arc<Value>)| Write::Delete {
            object: ObjectRef::of(kind, object),
            uid: object.uid().to_owned(),
            propagation: "Background",
            now: false,
        };
        staying.map(delete).collect()
    }

    fn resources(&self) -> String {
        let names = self.objects.iter().map(|(kind, _)| kind.qualified_resource());
        counted(names, |name, count| format!("{name} has {count} resource instances"))
    }

    fn finalizers(&self) -> String {
        let names = self.objects.iter().flat_map(|(_, object)| object.items("metadata.finalizers"));
        let names = names.filter_map(Value::as_str).map(str::to_owned);
        counted(names, |name, count| format!("{name} in {count} resource instances"))
    }
}

fn counted(names: impl Iterator<Item = String>, say: impl Fn(&str, usize) -> String) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    counts.iter().map(|(name, count)| say(name, *count)).collect::<Vec<_>>().join(", ")
}

/// The status that says what is waited for; nothing when it says so already.
///
/// Source: kubernetes `pkg/controller/namespace/deletion/status_condition_utils.go`.
fn told(namespace: &Value, left: &Left, world: &dyn World, now: Timestamp) -> Option<Write> {
    let failures: Vec<String> = world.failures().iter().map(|failure| failure.message.clone()).collect();
    let finalizers = left.finalizers();
    let conditions = [
        ("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered".to_owned()),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed".to_owned(),
        ),
        match failures.as_slice() {
            [] => {
                let told = "All content successfully deleted, may be waiting on finalization".to_owned();
                ("NamespaceDeletionContentFailure", false, "ContentDeleted", told)
            }
            failures => ("NamespaceDeletionContentFailure", true, "ContentDeletionFailed", failures.join("; ")),
        },
        ("NamespaceContentRemaining", true, "SomeResourcesRemain", format!("Some resources are remaining: {}", left.resources())),
        if finalizers.is_empty() {
            ("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
        } else {
            let told = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            ("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", told)
        },
    ];
    let mut new = namespace.clone();
    let mut list = namespace.items("status.conditions").to_vec();
    for (kind, holds, reason, message) in conditions {
        let status = if holds { "True" } else { "False" };
        let old = list.iter().position(|condition| condition.text("type") == kind);
        let found = old.and_then(|at| list.get(at));
        if found.is_some_and(|found| found.text("status") == status && found.text("reason") == reason && found.text("message") == message) {
            continue;
        }
        let since = found.filter(|found| found.text("status") == status).and_then(|found| found.at("lastTransitionTime").cloned());
        let since = since.unwrap_or_else(|| json!(now.rfc3339()));
        let made = json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
        match old.and_then(|at| list.get_mut(at)) {
            Some(place) => *place = made,
            None => list.push(made),
        }
    }
    new.set("status.conditions", list);
    (new != *namespace).then_some(Write::UpdateStatus(NAMESPACE, new))
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

    #[test]
    fn pods_go_first_and_what_is_waited_for_is_told() {
        let namespace = json!({"metadata": {"name": "d", "uid": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"finalizers": ["kubernetes", "e.x/own"]}});
        let pod = json!({"metadata": {"name": "p", "namespace": "d", "uid": "p", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["e.x/f"]}});
        let map = json!({"metadata": {"name": "m", "namespace": "d", "uid": "m"}});
        let mut world = TestWorld::with(&[(NAMESPACE, namespace), (POD, pod), (CONFIG_MAP, map)]);
        world.settle(&CONTROLLER);
        assert_eq!(world.list(CONFIG_MAP, None).len(), 1);
        let told = world.get(NAMESPACE, "", "d").expect("held");
        let conditions: Vec<_> =
            told.items("status.conditions").iter().map(|condition| (condition.text("type"), condition.text("status"))).collect();
        assert!(conditions.contains(&("NamespaceDeletionContentFailure", "False")), "{conditions:?}");
        assert!(conditions.contains(&("NamespaceFinalizersRemaining", "True")), "{conditions:?}");
        let remaining = told.items("status.conditions").iter().find(|condition| condition.text("type") == "NamespaceContentRemaining");
        assert_eq!(remaining.expect("told").text("message"), "Some resources are remaining: pods has 1 resource instances");
    }
}
