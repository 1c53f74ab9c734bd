//! `persistentVolumeClaim`: the folder of the volume that the claim is bound to.

use super::{Context, Plan, host_path};
use k8s::kinds::{PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM};
use k8s::{Fields, Value};
use std::path::PathBuf;

pub(super) fn plan(context: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    bound(context, source.text("claimName"), source.flag("readOnly"))
}

/// `ephemeral`: a claim of the pod's own, named after pod and volume.
pub(super) fn plan_ephemeral(context: &Context<'_>, name: &str, _: &Value) -> Result<Plan, String> {
    bound(context, &format!("{}-{name}", context.pod.name), false)
}

fn bound(context: &Context<'_>, name: &str, read_only: bool) -> Result<Plan, String> {
    let claim = context.cluster.get(PERSISTENT_VOLUME_CLAIM, &context.pod.namespace, name);
    let claim = claim.ok_or_else(|| format!("persistentvolumeclaim \"{name}\" not found"))?;
    if claim.is_terminating() && claim.text("status.phase") != "Bound" {
        return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
    }
    let volume = claim.text("spec.volumeName");
    if volume.is_empty() || claim.text("status.phase") != "Bound" {
        return Err(format!("persistentvolumeclaim \"{name}\" is not bound yet"));
    }
    let volume = context.cluster.get(PERSISTENT_VOLUME, "", volume).ok_or_else(|| format!("persistentvolume \"{volume}\" not found"))?;
    if claim.text("spec.volumeMode") == "Block" {
        return Err(format!("persistentvolumeclaim \"{name}\" is a raw block volume, which this node does not support"));
    }
    let own = |claim: &Value| volume.text("spec.claimRef.uid").is_empty() || volume.text("spec.claimRef.uid") == claim.uid();
    if !own(&claim) {
        return Err(format!("persistentvolume \"{}\" is bound to another claim", volume.name()));
    }
    place(&volume, read_only)
}

fn place(volume: &Value, read_only: bool) -> Result<Plan, String> {
    let (path, kind) = match (volume.at("spec.local"), volume.at("spec.hostPath")) {
        (Some(local), _) => (local.text("path"), "Directory"),
        (None, Some(host)) => (host.text("path"), host.text("type")),
        (None, None) => return Err(format!("persistentvolume \"{}\" is of a kind that this node does not support", volume.name())),
    };
    let path = PathBuf::from(path);
    host_path::check(&path, kind)?;
    Ok(Plan::Place { path, read_only, owned: true })
}
