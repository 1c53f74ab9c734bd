//! The ReplicaSets of a deployment: which is the new one, what their revisions are.

use super::event;
use crate::workload;
use crate::world::{World, Write};
use k8s::kinds::{DEPLOYMENT, REPLICA_SET};
use k8s::labels::Selector;
use k8s::{Fields, Value};
use serde_json::json;
use std::sync::Arc;

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// The sets of one deployment.
pub struct Sets {
    /// The one with today's template.
    pub new: Option<Arc<Value>>,
    /// All others, the oldest first.
    pub old: Vec<Arc<Value>>,
}

/// How many pods a set is asked to keep.
pub fn wanted(set: &Value) -> i64 {
    set.int("spec.replicas").unwrap_or(1)
}

/// How many of its pods are available.
pub fn available(set: &Value) -> i64 {
    set.int("status.availableReplicas").unwrap_or(0)
}

/// How many pods the deployment is asked to keep.
pub fn desired(deployment: &Value) -> i64 {
    deployment.int("spec.replicas").unwrap_or(1).max(0)
}

/// How many pods the deployment might have when the set was sized.
pub fn maximum(set: &Value) -> Option<i64> {
    set.annotation(MAXIMUM)?.parse().ok()
}

/// `maxSurge` and `maxUnavailable` as numbers; both zero would never move, so that one may then be unavailable.
pub fn bounds(deployment: &Value) -> (i64, i64) {
    if deployment.text("spec.strategy.type") == "Recreate" {
        return (0, 0);
    }
    let total = desired(deployment);
    let surge = workload::scaled(deployment.at("spec.strategy.rollingUpdate.maxSurge"), total, true);
    let unavailable = workload::scaled(deployment.at("spec.strategy.rollingUpdate.maxUnavailable"), total, false).min(total);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

impl Sets {
    /// Those that the deployment controls.
    pub fn of(deployment: &Value, world: &dyn World) -> Self {
        let mut old = world.controlled(REPLICA_SET, deployment.namespace(), deployment.uid());
        old.sort_by(|a, b| (a.text("metadata.creationTimestamp"), a.name()).cmp(&(b.text("metadata.creationTimestamp"), b.name())));
        let template = template_without_hash(deployment);
        let new = old.iter().position(|set| template_without_hash(set) == template).map(|at| old.remove(at));
        Self { new, old }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.new.iter().chain(&self.old)
    }

    /// Whether the deployment's number of replicas was changed since the sets were scaled.
    pub fn is_scaling(&self, deployment: &Value) -> bool {
        let desired = desired(deployment).to_string();
        self.all().filter(|set| wanted(set) > 0).any(|set| set.annotation(DESIRED).is_some_and(|before| before != desired))
    }

    /// Takes over sets that match and that nobody controls.
    pub fn adoptions(&self, deployment: &Value, world: &dyn World) -> Vec<Write> {
        let Some(selector) = Selector::from_object(deployment.at("spec.selector")).filter(|selector| !selector.is_empty()) else {
            return Vec::new();
        };
        let sets = world.list(REPLICA_SET, Some(deployment.namespace()));
        let orphans = sets.iter().filter(|set| set.controller().is_none() && !set.is_terminating() && selector.matches(set));
        let adopt = orphans.map(|set| {
            let mut set = (**set).clone();
            let mut owners = set.items("metadata.ownerReferences").to_vec();
            owners.push(workload::controller_reference(DEPLOYMENT, deployment));
            set.set("metadata.ownerReferences", owners);
            Write::Update(REPLICA_SET, set)
        });
        adopt.collect()
    }

    /// Makes the new set when there is none, and keeps revisions and annotations in step.
    pub fn ensure_new(&self, deployment: &Value, world: &dyn World) -> Vec<Write> {
        let highest_old = self.old.iter().map(|set| revision(set)).max().unwrap_or(0);
        let Some(new) = &self.new else { return self.create_new(deployment, highest_old + 1, world) };
        let revision = if revision(new) > highest_old { revision(new) } else { highest_old + 1 };
        let mut writes = Vec::new();
        let mut set = (**new).clone();
        annotate(&mut set, deployment, revision);
        for key in ["minReadySeconds"] {
            match deployment.at(&format!("spec.{key}")) {
                Some(value) => set["spec"][key] = value.clone(),
                None => {
                    set.unset(&format!("spec.{key}"));
                }
            }
        }
        if set != **new {
            writes.push(Write::Update(REPLICA_SET, set));
        }
        writes.extend(mark(deployment, revision));
        writes
    }

    fn create_new(&self, deployment: &Value, revision: i64, world: &dyn World) -> Vec<Write> {
        let template = deployment.at("spec.template").cloned().unwrap_or_default();
        let collisions = deployment.int("status.collisionCount").unwrap_or(0);
        let hash = workload::hash(&json!([template, collisions]));
        let name = format!("{}-{hash}", deployment.name());
        if world.get(REPLICA_SET, deployment.namespace(), &name).is_some() {
            // Another's set has this name: a different hash next time.
            let mut changed = deployment.clone();
            changed.set("status.collisionCount", collisions + 1);
            return vec![Write::UpdateStatus(DEPLOYMENT, changed)];
        }
        let mut set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": template},
            "metadata": {"name": name, "namespace": deployment.namespace(),
                "ownerReferences": [workload::controller_reference(DEPLOYMENT, deployment)]}});
        set["spec"]["template"].unset("metadata.creationTimestamp");
        for (path, labels) in [
            ("metadata.labels", "spec.template.metadata.labels"),
            ("spec.selector", "spec.selector"),
            ("spec.template.metadata.labels", "spec.template.metadata.labels"),
        ] {
            if let Some(value) = deployment.at(labels) {
                set.set(path, value.clone());
            }
        }
        set["metadata"]["labels"][HASH] = json!(hash);
        set["spec"]["template"]["metadata"]["labels"][HASH] = json!(hash);
        set.at_mut("spec.selector.matchLabels")[HASH] = json!(hash);
        if let Some(seconds) = deployment.int("spec.minReadySeconds") {
            set.set("spec.minReadySeconds", seconds);
        }
        let replicas = self.first_size(deployment);
        set.set("spec.replicas", replicas);
        annotate(&mut set, deployment, revision);
        annotate_size(&mut set, deployment);
        let mut writes = vec![Write::Create(REPLICA_SET, set)];
        if replicas > 0 {
            writes.push(event(deployment, "ScalingReplicaSet", format!("Scaled up replica set {name} from 0 to {replicas}")));
        }
        writes.extend(mark(deployment, revision));
        writes
    }

    fn first_size(&self, deployment: &Value) -> i64 {
        let total: i64 = self.old.iter().map(|set| wanted(set)).sum();
        if deployment.text("spec.strategy.type") == "Recreate" {
            return if self.old.iter().all(|set| wanted(set) == 0 && set.int("status.replicas").unwrap_or(0) == 0) {
                desired(deployment)
            } else {
                0
            };
        }
        (desired(deployment) + bounds(deployment).0 - total).clamp(0, desired(deployment))
    }

    /// Old sets past `revisionHistoryLimit`, once the new one is complete.
    pub fn superfluous(&self, deployment: &Value) -> Vec<Write> {
        let limit = usize::try_from(deployment.int("spec.revisionHistoryLimit").unwrap_or(10)).unwrap_or(0);
        let empty = |set: &&Arc<Value>| -> bool {
            let observed = set.int("status.observedGeneration") == set.int("metadata.generation");
            wanted(set) == 0 && set.int("status.replicas").unwrap_or(0) == 0 && observed && !set.is_terminating()
        };
        let mut gone: Vec<_> = self.old.iter().filter(empty).collect();
        gone.sort_by_key(|set| revision(set));
        let surplus = self.old.len().saturating_sub(limit).min(gone.len());
        gone.into_iter()
            .take(surplus)
            .map(|set| Write::Delete {
                object: k8s::ObjectRef::of(REPLICA_SET, set),
                uid: set.uid().to_owned(),
                propagation: "Background",
                now: false,
            })
            .collect()
    }
}

/// A set of another size, with the event that tells it; nothing when it has that size.
pub fn resize(deployment: &Value, set: &Value, replicas: i64) -> Vec<Write> {
    let before = wanted(set);
    let mut changed = set.clone();
    changed.set("spec.replicas", replicas);
    annotate_size(&mut changed, deployment);
    if changed == *set {
        return Vec::new();
    }
    let mut writes = vec![Write::Update(REPLICA_SET, changed)];
    if before != replicas {
        let direction = if replicas > before { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {} from {before} to {replicas}", set.name());
        writes.push(event(deployment, "ScalingReplicaSet", message));
    }
    writes
}

fn revision(set: &Value) -> i64 {
    set.annotation(REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

fn template_without_hash(object: &Value) -> Value {
    let mut template = object.at("spec.template").cloned().unwrap_or_default();
    if let Some(labels) = template.at_mut("metadata.labels").as_object_mut() {
        labels.remove(HASH);
    }
    template.unset("metadata.creationTimestamp");
    template
}

fn annotate(set: &mut Value, deployment: &Value, revision: i64) {
    for (key, value) in deployment.texts("metadata.annotations") {
        // What kubectl keeps of the deployment's own manifest says nothing of the set.
        if !matches!(key, "kubectl.kubernetes.io/last-applied-configuration" | REVISION | DESIRED | MAXIMUM) {
            set.at_mut("metadata.annotations")[key] = json!(value);
        }
    }
    set.at_mut("metadata.annotations")[REVISION] = json!(revision.to_string());
}

fn annotate_size(set: &mut Value, deployment: &Value) {
    let annotations = set.at_mut("metadata.annotations");
    annotations[DESIRED] = json!(desired(deployment).to_string());
    annotations[MAXIMUM] = json!((desired(deployment) + bounds(deployment).0).to_string());
}

fn mark(deployment: &Value, revision: i64) -> Option<Write> {
    let revision = revision.to_string();
    (deployment.annotation(REVISION) != Some(revision.as_str())).then(|| {
        let mut changed = deployment.clone();
        changed.at_mut("metadata.annotations")[REVISION] = json!(revision);
        Write::Update(DEPLOYMENT, changed)
    })
}
