//! Security contexts: who a container's process is, and what it may do.

use super::Inputs;
use crate::pod::Pod;
use k8s::{Fields, Value};
use runtime::DEFAULT_CAPABILITIES;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Refuses what this node cannot give a pod, by the field's name.
///
/// # Errors
/// A sentence that names the field.
pub fn check_pod(pod: &Pod) -> Result<(), String> {
    let spec = &pod.object["spec"];
    for field in ["hostPID", "hostIPC"] {
        if spec.flag(field) {
            return Err(format!("spec.{field} is not supported by this node"));
        }
    }
    if spec.at("hostUsers").and_then(Value::as_bool) == Some(false) {
        return Err("spec.hostUsers: false (a user namespace of the pod's own) is not supported by this node".into());
    }
    if pod.host_network && !spec.items("securityContext.sysctls").is_empty() {
        let net = spec.items("securityContext.sysctls").iter().find(|sysctl| sysctl.text("name").starts_with("net."));
        if let Some(sysctl) = net {
            return Err(format!("sysctl \"{}\" is not allowed with the host's network", sysctl.text("name")));
        }
    }
    Ok(())
}

/// The names by which a RuntimeClass may mean the one way in which this node runs containers.
const HANDLERS: [&str; 2] = ["runc", "wharf"];

/// Refuses a class of runtimes that this node does not have.
///
/// # Errors
/// A sentence that names the class.
pub fn check_class(pod: &Pod, class: impl Fn(&str) -> Option<Arc<Value>>) -> Result<(), String> {
    let name = pod.object.text("spec.runtimeClassName");
    if name.is_empty() {
        return Ok(());
    }
    let found = class(name).ok_or_else(|| format!("RuntimeClass \"{name}\" not found"))?;
    let handler = found.text("handler");
    if HANDLERS.contains(&handler) {
        return Ok(());
    }
    Err(format!(
        "RuntimeClass \"{name}\": no runtime for \"{handler}\" is configured; the handlers of this node are {}",
        HANDLERS.join(" and ")
    ))
}

/// A field of the container's own security context, or of the pod's.
fn either<'a>(inputs: &Inputs<'a>, field: &str) -> Option<&'a Value> {
    let own = inputs.raw().at("securityContext").and_then(|context| context.at(field));
    own.or_else(|| inputs.pod.object.at("spec.securityContext").and_then(|context| context.at(field)))
}

fn id(value: Option<&Value>) -> Option<u32> {
    value.and_then(Value::as_i64).and_then(|id| u32::try_from(id).ok())
}

/// The process's user and privileges.
///
/// # Errors
/// What contradicts itself or is not supported, in the kubelet's words where it has some.
pub fn of_container(inputs: &Inputs<'_>) -> Result<(runtime::User, runtime::Privileges), String> {
    let raw = inputs.raw();
    let privileged = raw.flag("securityContext.privileged");
    let user = user(inputs)?;
    let must_not_be_root = either(inputs, "runAsNonRoot").and_then(Value::as_bool) == Some(true);
    if must_not_be_root {
        check_not_root(inputs, &user)?;
    }
    let capabilities = capabilities(raw)?;
    let adds_admin = capabilities.iter().any(|name| name == "SYS_ADMIN");
    let escalation = raw.at("securityContext.allowPrivilegeEscalation").and_then(Value::as_bool);
    let proc_mount = raw.text("securityContext.procMount");
    if proc_mount == "Unmasked" && !privileged && inputs.pod.object.at("spec.hostUsers").and_then(Value::as_bool) != Some(false) {
        return Err("procMount: Unmasked needs hostUsers: false, which is not supported by this node".into());
    }
    let privileges = runtime::Privileges {
        privileged,
        capabilities,
        allow_escalation: privileged || adds_admin || escalation.unwrap_or(true),
        seccomp: seccomp(inputs)? && !privileged,
        must_not_be_root,
        unmasked_proc: proc_mount == "Unmasked",
    };
    Ok((user, privileges))
}

fn user(inputs: &Inputs<'_>) -> Result<runtime::User, String> {
    let context = inputs.pod.object.at("spec.securityContext");
    let supplemental = context.map_or(&[][..], |context| context.items("supplementalGroups"));
    let mut groups: Vec<u32> = supplemental.iter().filter_map(|group| id(Some(group))).collect();
    groups.extend(fs_group(inputs.pod).filter(|group| !groups.contains(group)));
    if context.is_some_and(|context| context.text("supplementalGroupsPolicy") == "Strict") {
        return Err("supplementalGroupsPolicy: Strict is not supported by this node".into());
    }
    let (uid, gid) = (id(either(inputs, "runAsUser")), id(either(inputs, "runAsGroup")));
    if gid.is_some() && uid.is_none() && inputs.image.config.user.is_empty() {
        // The image's user is root then, and only the group changes.
        return Ok(runtime::User { image: String::new(), uid: Some(0), gid, groups });
    }
    Ok(runtime::User { image: inputs.image.config.user.clone(), uid, gid, groups })
}

/// `spec.securityContext.fsGroup`.
pub fn fs_group(pod: &Pod) -> Option<u32> {
    id(pod.object.at("spec.securityContext.fsGroup"))
}

/// Source: kubelet `verifyRunAsNonRoot`.
fn check_not_root(inputs: &Inputs<'_>, user: &runtime::User) -> Result<(), String> {
    let at = format!("(pod: \"{}\", container: {})", inputs.pod.long_name(), inputs.container.name);
    if let Some(uid) = user.uid {
        return if uid == 0 { Err(format!("container's runAsUser breaks non-root policy {at}")) } else { Ok(()) };
    }
    let name = user.image.split(':').next().unwrap_or_default();
    match name.parse::<u32>() {
        Ok(0) => Err(format!("container has runAsNonRoot and image will run as root {at}")),
        Ok(_) => Ok(()),
        Err(_) if name.is_empty() => Err(format!("container has runAsNonRoot and image will run as root {at}")),
        Err(_) => Err(format!("container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {at}")),
    }
}

fn capabilities(raw: &Value) -> Result<Vec<String>, String> {
    let names = |field| -> Vec<String> {
        let items = raw.items(field).iter().filter_map(Value::as_str);
        items.map(|name| name.to_uppercase().trim_start_matches("CAP_").to_owned()).collect()
    };
    let (add, drop) = (names("securityContext.capabilities.add"), names("securityContext.capabilities.drop"));
    if let Some(unknown) = add.iter().chain(&drop).find(|name| *name != "ALL" && !sys::creds::CAPABILITIES.contains(&name.as_str())) {
        return Err(format!("unknown capability \"CAP_{unknown}\""));
    }
    let all = |list: &[String]| list.iter().any(|name| name == "ALL");
    let mut set: BTreeSet<&str> = match (all(&add), all(&drop)) {
        (true, _) => sys::creds::CAPABILITIES.into(),
        (false, true) => BTreeSet::new(),
        (false, false) => DEFAULT_CAPABILITIES.into(),
    };
    for name in drop.iter().filter(|name| *name != "ALL") {
        set.remove(name.as_str());
    }
    set.extend(add.iter().map(String::as_str).filter(|name| *name != "ALL"));
    Ok(set.into_iter().map(str::to_owned).collect())
}

/// Whether the default filter applies: unless `Unconfined` was asked for.
fn seccomp(inputs: &Inputs<'_>) -> Result<bool, String> {
    let kind = either(inputs, "seccompProfile").map_or("", |profile| profile.text("type"));
    let armor = either(inputs, "appArmorProfile").map_or("", |profile| profile.text("type"));
    if armor == "Localhost" {
        return Err("appArmorProfile: Localhost is not supported by this node".into());
    }
    match kind {
        "Unconfined" => Ok(false),
        "" | "RuntimeDefault" => Ok(true),
        other => Err(format!("seccompProfile: {other} is not supported by this node")),
    }
}
