//! Security contexts.

use super::Errors;
use crate::Value;
use crate::object::Fields;

const MOST_ID: i64 = 2_147_483_647;

/// Of a pod.
pub fn of_pod(spec: &Value, path: &str, errors: &mut Errors) {
    let Some(context) = spec.at("securityContext") else { return };
    let path = format!("{path}.securityContext");
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(context, name, &path, errors);
    }
    for (at, group) in context.items("supplementalGroups").iter().enumerate() {
        errors.in_range(format!("{path}.supplementalGroups[{at}]"), group.as_i64().unwrap_or(0), 0, MOST_ID);
    }
    if let Some(policy) = context.at("fsGroupChangePolicy").and_then(Value::as_str) {
        errors.one_of(format!("{path}.fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    }
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        errors.invalid(format!("{path}.shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
    let mut seen = Vec::new();
    for (at, sysctl) in context.items("sysctls").iter().enumerate() {
        let (name, path) = (sysctl.text("name"), format!("{path}.sysctls[{at}].name"));
        let good = name.len() <= 253
            && name.split(['.', '/']).all(|part| {
                let bytes = part.as_bytes();
                let ends = bytes.first().is_some_and(u8::is_ascii_alphanumeric) && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
                ends && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(byte))
            });
        if name.is_empty() {
            errors.required(path, "");
        } else if !good {
            errors.invalid(
                path,
                name,
                "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
            );
        } else if seen.contains(&name) {
            errors.duplicate(path, name);
        }
        seen.push(name);
    }
    seccomp(context, &path, errors);
}

/// Of a container.
pub fn of_container(container: &Value, path: &str, errors: &mut Errors) {
    let Some(context) = container.at("securityContext") else { return };
    let path = format!("{path}.securityContext");
    for name in ["runAsUser", "runAsGroup"] {
        id(context, name, &path, errors);
    }
    if context.at("allowPrivilegeEscalation").and_then(Value::as_bool) == Some(false) {
        if context.flag("privileged") {
            errors.invalid(&path, context.clone(), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        if context.items("capabilities.add").iter().any(|added| matches!(added.as_str(), Some("CAP_SYS_ADMIN"))) {
            errors.invalid(&path, context.clone(), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    seccomp(context, &path, errors);
}

fn id(context: &Value, name: &str, path: &str, errors: &mut Errors) {
    if let Some(number) = context.int(name) {
        errors.in_range(format!("{path}.{name}"), number, 0, MOST_ID);
    }
}

fn seccomp(context: &Value, path: &str, errors: &mut Errors) {
    let Some(profile) = context.at("seccompProfile") else { return };
    match profile.text("type") {
        "" => errors.required(format!("{path}.seccompProfile.type"), "type is required when seccompProfile is set"),
        "Localhost" if profile.text("localhostProfile").is_empty() => {
            errors.required(format!("{path}.seccompProfile.localhostProfile"), "must be set when seccomp type is Localhost ");
        }
        kind => errors.one_of(format!("{path}.seccompProfile.type"), kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}
