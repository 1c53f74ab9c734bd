//! Persistent volumes: binds claims, makes and removes volumes of the class `local`, keeps claims that are in use.

use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD, STORAGE_CLASS};
use k8s::{Fields, ObjectRef, Value, quantity};
use serde_json::json;
use std::sync::Arc;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "persistentvolume-binder",
    watches: &[
        Watch { kind: PERSISTENT_VOLUME_CLAIM, concerns: of_claim },
        Watch { kind: PERSISTENT_VOLUME, concerns: of_volume },
        Watch { kind: POD, concerns: of_pod },
    ],
    step,
};

/// What the class `local` names as its provisioner.
const PROVISIONER: &str = "wharf.local/volumes";
const PROTECTION: &str = "kubernetes.io/pvc-protection";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

fn of_claim(claim: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let bound = world.get(PERSISTENT_VOLUME, "", claim.text("spec.volumeName"));
    let volume = bound.map(|volume| ObjectRef::of(PERSISTENT_VOLUME, &volume));
    volume.into_iter().chain([ObjectRef::of(PERSISTENT_VOLUME_CLAIM, claim)]).collect()
}

fn of_volume(volume: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let mut concerned = vec![ObjectRef::of(PERSISTENT_VOLUME, volume)];
    let pending = world.list(PERSISTENT_VOLUME_CLAIM, None).into_iter().filter(|claim| claim.text("status.phase") != "Bound");
    concerned.extend(pending.map(|claim| ObjectRef::of(PERSISTENT_VOLUME_CLAIM, &claim)));
    concerned
}

fn of_pod(pod: &Value, _: &dyn World) -> Vec<ObjectRef> {
    let claims = pod.items("spec.volumes").iter().filter_map(|volume| volume.at("persistentVolumeClaim.claimName")?.as_str());
    claims.map(|name| ObjectRef::new(PERSISTENT_VOLUME_CLAIM, pod.namespace(), name)).collect()
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(object) = world.find(reference) else { return Step::done() };
    Step::write(if reference.kind == PERSISTENT_VOLUME { volume_step(&object, world) } else { claim_step(&object, world) })
}

fn claim_step(claim: &Value, world: &dyn World) -> Vec<Write> {
    if let Some(write) = protect(claim, world) {
        return vec![write];
    }
    if claim.is_terminating() {
        return Vec::new();
    }
    match world.get(PERSISTENT_VOLUME, "", claim.text("spec.volumeName")) {
        Some(volume) if !claim.text("spec.volumeName").is_empty() => bind(claim, &volume),
        _ if !claim.text("spec.volumeName").is_empty() => {
            phase(claim, if claim.text("status.phase") == "Bound" { "Lost" } else { "Pending" })
        }
        _ => match matching(claim, world) {
            Some(volume) => bind(claim, &volume),
            None => provision(claim, world).unwrap_or_else(|| phase(claim, "Pending")),
        },
    }
}

/// A claim is kept while a pod uses it.
fn protect(claim: &Value, world: &dyn World) -> Option<Write> {
    let finalizers = claim.items("metadata.finalizers");
    let protected = finalizers.iter().any(|finalizer| finalizer.as_str() == Some(PROTECTION));
    let mut changed = claim.clone();
    if !claim.is_terminating() {
        let all: Vec<Value> = finalizers.iter().cloned().chain([json!(PROTECTION)]).collect();
        changed.set("metadata.finalizers", all);
        return (!protected).then_some(Write::Update(PERSISTENT_VOLUME_CLAIM, changed));
    }
    let uses = |pod: &Arc<Value>| k8s::usage::pod_counts(pod) && of_pod(pod, world).iter().any(|used| used.name == claim.name());
    if !protected || world.list(POD, Some(claim.namespace())).iter().any(uses) {
        return None;
    }
    let left: Vec<Value> = finalizers.iter().filter(|finalizer| finalizer.as_str() != Some(PROTECTION)).cloned().collect();
    changed.set("metadata.finalizers", left);
    Some(Write::Update(PERSISTENT_VOLUME_CLAIM, changed))
}

fn matching(claim: &Value, world: &dyn World) -> Option<Arc<Value>> {
    let size = |object: &Value, path: &str| quantity::parse(object.text(path)).unwrap_or(0);
    let wanted = size(claim, "spec.resources.requests.storage");
    let selector = k8s::labels::Selector::from_object(claim.at("spec.selector"));
    let modes = claim.items("spec.accessModes");
    let fits = |volume: &Arc<Value>| {
        let is_meant = volume.text("spec.claimRef.name") == claim.name() && volume.text("spec.claimRef.namespace") == claim.namespace();
        let is_free = volume.at("spec.claimRef").is_none() && matches!(volume.text("status.phase"), "" | "Available");
        (is_free || is_meant && matches!(volume.text("spec.claimRef.uid"), "" | "-") || volume.text("spec.claimRef.uid") == claim.uid())
            && !volume.is_terminating()
            && volume.text("spec.storageClassName") == claim.text("spec.storageClassName")
            && size(volume, "spec.capacity.storage") >= wanted
            && modes.iter().all(|mode| volume.items("spec.accessModes").contains(mode))
            && selector.as_ref().is_none_or(|selector| selector.matches(volume))
    };
    world.list(PERSISTENT_VOLUME, None).into_iter().filter(fits).min_by_key(|volume| size(volume, "spec.capacity.storage"))
}

fn bind(claim: &Value, volume: &Value) -> Vec<Write> {
    let mut writes = Vec::new();
    let reference = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim.name(), "namespace": claim.namespace(), "uid": claim.uid()});
    if volume.text("spec.claimRef.uid") != claim.uid() {
        let mut changed = volume.clone();
        changed.set("spec.claimRef", reference);
        return vec![Write::Update(PERSISTENT_VOLUME, changed)];
    }
    if claim.text("spec.volumeName") != volume.name() {
        let mut changed = claim.clone();
        changed.set("spec.volumeName", volume.name());
        changed.at_mut("metadata.annotations")["pv.kubernetes.io/bind-completed"] = json!("yes");
        return vec![Write::Update(PERSISTENT_VOLUME_CLAIM, changed)];
    }
    let mut changed = claim.clone();
    changed.set("status.phase", "Bound");
    changed.set("status.accessModes", volume.at("spec.accessModes").cloned().unwrap_or_default());
    changed.set("status.capacity", volume.at("spec.capacity").cloned().unwrap_or_default());
    if changed != *claim {
        writes.push(Write::UpdateStatus(PERSISTENT_VOLUME_CLAIM, changed));
    }
    writes
}

fn provision(claim: &Value, world: &dyn World) -> Option<Vec<Write>> {
    let class = world.get(STORAGE_CLASS, "", claim.text("spec.storageClassName"))?;
    if class.text("provisioner") != PROVISIONER {
        return None;
    }
    let node = claim.annotation(SELECTED_NODE);
    if class.text("volumeBindingMode") == "WaitForFirstConsumer" && node.is_none() {
        return None;
    }
    let name = format!("pvc-{}", claim.uid());
    let folder = world.volumes_folder().join(&name);
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {"capacity": {"storage": claim.text("spec.resources.requests.storage")},
            "accessModes": claim.items("spec.accessModes"), "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": if class.text("reclaimPolicy").is_empty() { "Delete" } else { class.text("reclaimPolicy") },
            "storageClassName": class.name(), "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions":
                [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node.unwrap_or("wharf")]}]}]}},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": claim.name(), "namespace": claim.namespace(), "uid": claim.uid()}}});
    let told = Write::Event {
        regarding: ObjectRef::of(PERSISTENT_VOLUME_CLAIM, claim),
        uid: claim.uid().to_owned(),
        warning: false,
        reason: "ProvisioningSucceeded",
        message: format!("Successfully provisioned volume pvc-{}", claim.uid()),
    };
    Some(vec![Write::MakeFolder(folder), Write::Create(PERSISTENT_VOLUME, volume), told])
}

fn phase(object: &Value, phase: &str) -> Vec<Write> {
    if object.text("status.phase") == phase {
        return Vec::new();
    }
    let kind = if object.namespace().is_empty() { PERSISTENT_VOLUME } else { PERSISTENT_VOLUME_CLAIM };
    let mut changed = object.clone();
    changed.set("status.phase", phase);
    vec![Write::UpdateStatus(kind, changed)]
}

fn volume_step(volume: &Value, world: &dyn World) -> Vec<Write> {
    if volume.is_terminating() {
        return Vec::new();
    }
    let claim = volume.at("spec.claimRef").filter(|claim| !claim.text("uid").is_empty());
    let Some(claim) = claim else { return phase(volume, "Available") };
    let found = world.get(PERSISTENT_VOLUME_CLAIM, claim.text("namespace"), claim.text("name"));
    if found.is_some_and(|found| found.uid() == claim.text("uid")) {
        return phase(volume, "Bound");
    }
    let ours = volume.annotation("pv.kubernetes.io/provisioned-by") == Some(PROVISIONER);
    if volume.text("spec.persistentVolumeReclaimPolicy") != "Delete" || !ours {
        return phase(volume, "Released");
    }
    // Only a folder below our own is ever removed, whatever the object says.
    let folder = world.volumes_folder().join(volume.name());
    let mut writes = Vec::new();
    if volume.text("spec.local.path") == folder.to_string_lossy() && name_is_plain(volume.name()) {
        writes.push(Write::RemoveFolder(folder));
    }
    writes.push(Write::Delete {
        object: ObjectRef::of(PERSISTENT_VOLUME, volume),
        uid: volume.uid().to_owned(),
        propagation: "Background",
        now: true,
    });
    writes
}

fn name_is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    fn world() -> TestWorld {
        let class = json!({"metadata": {"name": "local"}, "provisioner": PROVISIONER, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"});
        let claim = json!({"metadata": {"name": "data", "namespace": "d", "uid": "c"},
            "spec": {"storageClassName": "local", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}}});
        TestWorld::with(&[(STORAGE_CLASS, class), (PERSISTENT_VOLUME_CLAIM, claim)])
    }

    fn select(world: &mut TestWorld) {
        world.change(PERSISTENT_VOLUME_CLAIM, "d", "data", |claim| claim.at_mut("metadata.annotations")[SELECTED_NODE] = json!("wharf"));
    }

    #[test]
    fn a_claim_waits_for_its_consumer_and_is_then_bound_to_a_volume_of_its_own() {
        let mut world = world();
        world.settle(&CONTROLLER);
        assert!(world.list(PERSISTENT_VOLUME, None).is_empty());
        select(&mut world);
        world.settle(&CONTROLLER);
        let claim = world.get(PERSISTENT_VOLUME_CLAIM, "d", "data").expect("claim");
        assert_eq!((claim.text("status.phase"), claim.text("spec.volumeName")), ("Bound", "pvc-c"));
        assert_eq!(world.get(PERSISTENT_VOLUME, "", "pvc-c").expect("volume").text("status.phase"), "Bound");
        assert_eq!(world.folders, [PathBuf::from("/volumes/pvc-c")]);
    }

    #[test]
    fn a_claim_in_use_stays_and_its_volume_goes_with_it() {
        let mut world = world();
        select(&mut world);
        let pod =
            json!({"metadata": {"name": "p", "namespace": "d"}, "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}});
        world.put(POD, pod);
        world.settle(&CONTROLLER);
        world.change(PERSISTENT_VOLUME_CLAIM, "d", "data", |claim| claim.set("metadata.deletionTimestamp", "2026-01-01T00:00:00Z"));
        world.settle(&CONTROLLER);
        assert_eq!(world.get(PERSISTENT_VOLUME_CLAIM, "d", "data").expect("kept").items("metadata.finalizers").len(), 1);
        world.remove(POD, "d", "p");
        world.settle(&CONTROLLER);
        assert!(world.get(PERSISTENT_VOLUME_CLAIM, "d", "data").expect("for the server").items("metadata.finalizers").is_empty());
        world.remove(PERSISTENT_VOLUME_CLAIM, "d", "data");
        world.settle(&CONTROLLER);
        assert!(world.list(PERSISTENT_VOLUME, None).is_empty());
        assert!(world.folders.is_empty());
    }

    use std::path::PathBuf;
}
