//! Claims that are not bound, which keep a pod from every node.

use super::{Trouble, Weight, either, shortened};
use crate::world::World;
use k8s::{Fields, Value};

/// Looks at the claims of a pod that no node has yet.
pub(super) fn look_at(pod: &Value, world: &World, troubles: &mut Vec<Trouble>) {
    if !pod.text("spec.nodeName").is_empty() || !matches!(pod.text("status.phase"), "" | "Pending") {
        return;
    }
    for name in pod.items("spec.volumes").iter().filter_map(|volume| claim_of(pod, volume)) {
        let Some((weight, why)) = wait(&name, pod.namespace(), world) else { continue };
        let message = format!("pod `{}` waits for the claim `{name}`: {why}", pod.name());
        let mut trouble = Trouble::new(weight, format!("{}/claim/{name}", pod.uid()), message);
        trouble.is_told_early = true;
        troubles.push(trouble);
    }
}

// An ephemeral volume's claim is named after the pod and the volume.
fn claim_of(pod: &Value, volume: &Value) -> Option<String> {
    if volume.at("ephemeral").is_some() {
        return Some(format!("{}-{}", pod.name(), volume.text("name")));
    }
    volume.at("persistentVolumeClaim").map(|claim| claim.text("claimName").to_owned())
}

fn wait(name: &str, namespace: &str, world: &World) -> Option<(Weight, String)> {
    let Some(claim) = world.get("PersistentVolumeClaim", namespace, name) else {
        let missing = || (Weight::Stuck, format!("there is no PersistentVolumeClaim of that name in `{namespace}`"));
        return world.is_listed("PersistentVolumeClaim", namespace).then(missing);
    };
    if claim.is_terminating() {
        return Some((Weight::Passing, "it is being deleted".to_owned()));
    }
    if claim.text("status.phase") == "Bound" {
        return None;
    }
    if claim.text("status.phase") == "Lost" {
        return Some((Weight::Stuck, format!("its volume `{}` is lost", claim.text("spec.volumeName"))));
    }
    let class = claim.text("spec.storageClassName");
    if !class.is_empty() && world.is_listed("StorageClass", "") && world.get("StorageClass", "", class).is_none() {
        return Some((Weight::Stuck, format!("there is no storage class `{class}`")));
    }
    if let Some(event) = world.warnings(claim).last() {
        return Some((Weight::Passing, shortened(either(event, "message", "note"))));
    }
    // A volume may take minutes to be made: without a word of failure this is no verdict before the time is up.
    let why = match world.get("StorageClass", "", class) {
        Some(found) => format!("the storage class `{class}` ({}) has made no volume yet", found.text("provisioner")),
        // Nobody will make one.
        None if class.is_empty() => return Some((Weight::Passing, "it names no storage class, and no volume fits it".to_owned())),
        None => "it is not bound yet".to_owned(),
    };
    Some((Weight::OnlyExplains, why))
}
