//! What is mounted into a container: its volumes, and the files that the node keeps for it.

use super::Inputs;
use super::env::Variables;
use super::expand::expand;
use k8s::{Fields, Value};
use runtime::{Mount, MountSource, Propagation};
use std::path::{Component, Path};

/// All mounts, parents before children.
///
/// # Errors
/// A sentence: an unknown volume, a path that leaves its volume, a field that is not supported.
pub fn of_container(inputs: &Inputs<'_>, env: &Variables) -> Result<Vec<Mount>, String> {
    let raw = inputs.raw();
    let mut mounts = Vec::new();
    for mount in raw.items("volumeMounts") {
        mounts.push(of_volume(inputs, mount, env)?);
    }
    if !raw.items("volumeDevices").is_empty() {
        return Err("volumeDevices (raw block volumes) are not supported by this node".into());
    }
    let taken: Vec<String> = mounts.iter().map(|mount: &Mount| mount.target.clone()).collect();
    let folders = inputs.node.folders(&inputs.pod.uid);
    let read_only = raw.flag("securityContext.readOnlyRootFilesystem");
    let own = ["hosts", "resolv.conf", "hostname"].map(|name| (folders.etc(name), format!("/etc/{name}"), read_only));
    let message = (folders.message(&inputs.container.name, inputs.attempt), inputs.container.message_path.clone(), false);
    for (path, target, read_only) in own.into_iter().chain([message]) {
        if !taken.contains(&target) {
            mounts.push(Mount { source: MountSource::Bind(path), target, read_only, propagation: Propagation::None });
        }
    }
    // An image's volumes stay writable when its root is not.
    for target in inputs.image.config.volumes.iter().filter(|_| read_only) {
        if !taken.contains(target) {
            let source = MountSource::Tmpfs { size_bytes: None, mode: 0o755 };
            mounts.push(Mount { source, target: target.clone(), read_only: false, propagation: Propagation::None });
        }
    }
    mounts.sort_by_key(|mount| mount.target.split('/').filter(|part| !part.is_empty()).count());
    Ok(mounts)
}

fn of_volume(inputs: &Inputs<'_>, mount: &Value, env: &Variables) -> Result<Mount, String> {
    let name = mount.text("name");
    let volume =
        inputs.volumes.get(name).ok_or_else(|| format!("volume \"{name}\" of the mount at {} is not there", mount.text("mountPath")))?;
    let path = match (mount.text("subPath"), mount.text("subPathExpr")) {
        (path, "") => path.to_owned(),
        (_, expression) => sub_path(expression, env)?,
    };
    let source = if path.is_empty() {
        MountSource::Bind(volume.path.clone())
    } else {
        check_below(&path)?;
        crate::volumes::make_below(&volume.path, &path, !volume.read_only)
            .map_err(|why| format!("failed to prepare subPath for volumeMount \"{name}\": {why}"))?;
        MountSource::BindBelow { base: volume.path.clone(), path }
    };
    let propagation = match mount.text("mountPropagation") {
        "" | "None" => Propagation::None,
        "HostToContainer" => Propagation::HostToContainer,
        "Bidirectional" => Propagation::Bidirectional,
        other => return Err(format!("mountPropagation {other} is not known")),
    };
    if mount.text("recursiveReadOnly") == "Enabled" {
        return Err("recursiveReadOnly: Enabled is not supported by this node".into());
    }
    Ok(Mount { source, target: mount.text("mountPath").to_owned(), read_only: volume.read_only || mount.flag("readOnly"), propagation })
}

/// Every variable of a `subPathExpr` must be known.
fn sub_path(expression: &str, env: &Variables) -> Result<String, String> {
    let missing = std::cell::RefCell::new(Vec::new());
    let path = expand(expression, &|name| {
        let found = env.get(name).cloned();
        if found.is_none() {
            missing.borrow_mut().push(name.to_owned());
        }
        found
    });
    let missing = missing.into_inner();
    if missing.is_empty() {
        Ok(path)
    } else {
        Err(format!("missing value for {}", missing.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")))
    }
}

fn check_below(path: &str) -> Result<(), String> {
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside { Ok(()) } else { Err(format!("subPath \"{path}\" must be relative and must not contain ..")) }
}
