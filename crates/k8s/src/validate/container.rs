//! Containers of a pod.

use super::{Errors, handler, names, resources, security, volumes};
use crate::Value;
use crate::object::Fields;

/// Which list a container stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `containers`.
    Main,
    /// `initContainers`.
    Init,
    /// `ephemeralContainers`.
    Ephemeral,
}

const FIELD_PATHS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// What the containers of one pod have in common.
pub struct Common<'a> {
    /// Names of the pod's volumes.
    pub volumes: Vec<&'a str>,
    /// Whether the pod has the host's network.
    pub host_network: bool,
    /// Whether it is a pod and no template, whose ports are filled in later.
    pub is_pod: bool,
}

/// Checks one container.
pub fn check(container: &Value, role: Role, path: &str, common: &Common<'_>, errors: &mut Errors) {
    match container.text("name") {
        "" => errors.required(format!("{path}.name"), ""),
        name => errors.invalid_each(&format!("{path}.name"), name, names::label(name)),
    }
    image(container, path, errors);
    errors.one_of(
        format!("{path}.terminationMessagePolicy"),
        container.text("terminationMessagePolicy"),
        &["FallbackToLogsOnError", "File"],
    );
    errors.one_of(format!("{path}.imagePullPolicy"), container.text("imagePullPolicy"), &["Always", "IfNotPresent", "Never"]);
    ports(container, role, path, common, errors);
    for (at, variable) in container.items("env").iter().enumerate() {
        self::variable(variable, &format!("{path}.env[{at}]"), errors);
    }
    for (at, source) in container.items("envFrom").iter().enumerate() {
        variables_from(source, &format!("{path}.envFrom"), at, errors);
    }
    volumes::mounts(container, path, &common.volumes, errors);
    if let Some(wanted) = container.at("resources") {
        resources::check(wanted, &format!("{path}.resources"), errors);
    }
    security::of_container(container, path, errors);
    life(container, role, path, errors);
}

fn image(container: &Value, path: &str, errors: &mut Errors) {
    let image = container.text("image");
    if image.is_empty() {
        errors.required(format!("{path}.image"), "");
    } else if image.trim() != image {
        errors.invalid(format!("{path}.image"), image, "must not have leading or trailing whitespace");
    }
}

/// Probes, hooks, and the policy of restart of one container.
fn life(container: &Value, role: Role, path: &str, errors: &mut Errors) {
    if role == Role::Ephemeral {
        for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "resizePolicy", "restartPolicy"] {
            if container.at(name).is_some() {
                errors.forbidden(format!("{path}.{name}"), "may not be set for an ephemeral container");
            }
        }
        // The server's own default writes an empty one.
        if container.at("resources").and_then(Value::as_object).is_some_and(|amounts| !amounts.is_empty()) {
            errors.forbidden(format!("{path}.resources"), "may not be set for an ephemeral container");
        }
        if !container.items("ports").is_empty() {
            errors.forbidden(format!("{path}.ports"), "may not be set for an ephemeral container");
        }
        if container.items("volumeMounts").iter().any(|mount| !mount.text("subPath").is_empty() || !mount.text("subPathExpr").is_empty()) {
            errors.forbidden(format!("{path}.volumeMounts"), "a part of a volume may not be mounted in an ephemeral container");
        }
        return;
    }
    let policy = container.at("restartPolicy").and_then(Value::as_str);
    let sidecar = role == Role::Init && policy == Some("Always");
    match (role, policy) {
        (Role::Main, Some(_)) => errors.forbidden(format!("{path}.restartPolicy"), "may not be set for non-init containers"),
        (Role::Init, Some(policy)) => errors.one_of(format!("{path}.restartPolicy"), policy, &["Always"]),
        _ => {}
    }
    if role == Role::Init && !sidecar {
        for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if container.at(name).is_some() {
                errors.forbidden(format!("{path}.{name}"), "may not be set for init containers without restartPolicy=Always");
            }
        }
        return;
    }
    for (name, once) in [("livenessProbe", true), ("readinessProbe", false), ("startupProbe", true)] {
        if let Some(probe) = container.at(name) {
            handler::probe(probe, &format!("{path}.{name}"), once, errors);
        }
    }
    if let Some(seconds) = container.int("readinessProbe.terminationGracePeriodSeconds") {
        errors.invalid(format!("{path}.readinessProbe.terminationGracePeriodSeconds"), seconds, "must not be set for readinessProbes");
    }
    for name in ["postStart", "preStop"] {
        if let Some(hook) = container.at("lifecycle").and_then(|hooks| hooks.at(name)) {
            handler::handler(hook, &format!("{path}.lifecycle.{name}"), &["exec", "httpGet", "tcpSocket", "sleep"], errors);
        }
    }
}

fn ports(container: &Value, role: Role, path: &str, common: &Common<'_>, errors: &mut Errors) {
    let same = common.host_network && role == Role::Main;
    let mut seen = Vec::new();
    for (at, port) in container.items("ports").iter().enumerate() {
        let path = format!("{path}.ports[{at}]");
        let name = port.text("name");
        if !name.is_empty() {
            let wrong = names::port(name);
            if wrong.is_empty() && seen.contains(&name) {
                errors.duplicate(format!("{path}.name"), name);
            }
            errors.invalid_each(&format!("{path}.name"), name, wrong);
            seen.push(name);
        }
        let (inside, outside) = (port.int("containerPort").unwrap_or(0), port.int("hostPort").unwrap_or(0));
        if inside == 0 {
            errors.required(format!("{path}.containerPort"), "");
        } else {
            errors.in_range(format!("{path}.containerPort"), inside, 1, 65_535);
        }
        if outside != 0 {
            errors.in_range(format!("{path}.hostPort"), outside, 1, 65_535);
        }
        if same && (common.is_pod || outside != 0) && outside != inside {
            errors.invalid(format!("{path}.hostPort"), outside, "must match `containerPort` when `hostNetwork` is true");
        }
        errors.one_of(format!("{path}.protocol"), port.text("protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn variable(variable: &Value, path: &str, errors: &mut Errors) {
    match variable.text("name") {
        "" => errors.required(format!("{path}.name"), ""),
        name => errors.invalid_each(&format!("{path}.name"), name, names::variable(name)),
    }
    let Some(from) = variable.at("valueFrom") else { return };
    let path = format!("{path}.valueFrom");
    let kinds: Vec<&str> =
        from.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(kind, _)| kind.as_str()).collect();
    if kinds.is_empty() {
        errors.invalid(&path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    } else if !variable.text("value").is_empty() {
        errors.invalid(&path, "", "may not be specified when `value` is not empty");
    } else if kinds.len() > 1 {
        errors.invalid(&path, "", "may not have more than one field specified at a time");
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(source) = from.at(kind) {
            errors.invalid_each(&format!("{path}.{kind}.name"), source.text("name"), names::subdomain(source.text("name")));
            match source.text("key") {
                "" => errors.required(format!("{path}.{kind}.key"), ""),
                key => errors.invalid_each(&format!("{path}.{kind}.key"), key, names::data_key(key)),
            }
        }
    }
    if let Some(field) = from.at("fieldRef") {
        field_path(field.text("fieldPath"), &format!("{path}.fieldRef.fieldPath"), errors);
    }
    if let Some(resource) = from.at("resourceFieldRef") {
        resource_field(resource, &format!("{path}.resourceFieldRef"), errors);
    }
}

fn field_path(found: &str, path: &str, errors: &mut Errors) {
    let subscript = |map: &str| found.strip_prefix(map).is_some_and(|rest| rest.starts_with("['") && rest.ends_with("']"));
    if found.is_empty() {
        errors.required(path, "");
    } else if !subscript("metadata.labels") && !subscript("metadata.annotations") {
        unknown_path(found, path, errors);
    }
}

/// Paths that a pod has but that no variable may show are told with those that may.
fn unknown_path(found: &str, path: &str, errors: &mut Errors) {
    const KNOWN: [&str; 4] = ["metadata.annotations", "metadata.labels", "spec.restartPolicy", "status.phase"];
    if FIELD_PATHS.contains(&found) {
        return;
    }
    if KNOWN.contains(&found) {
        return errors.unsupported(path, found, &FIELD_PATHS);
    }
    errors.invalid(path, found, &format!("error converting fieldPath: field label not supported: {found}"));
}

fn resource_field(resource: &Value, path: &str, errors: &mut Errors) {
    const NAMES: [&str; 6] =
        ["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];
    match resource.text("resource") {
        "" => errors.required(format!("{path}.resource"), ""),
        name if name.contains(".hugepages-") => {}
        name => errors.one_of(format!("{path}.resource"), name, &NAMES),
    }
}

fn variables_from(source: &Value, list: &str, at: usize, errors: &mut Errors) {
    let path = format!("{list}[{at}]");
    let prefix = source.text("prefix");
    if !prefix.is_empty() {
        errors.invalid_each(&format!("{path}.prefix"), prefix, names::variable(prefix));
    }
    let kinds: Vec<&str> = ["configMapRef", "secretRef"].into_iter().filter(|kind| source.at(kind).is_some()).collect();
    match kinds.as_slice() {
        [] => errors.invalid(list, "", "must specify one of: `configMapRef` or `secretRef`"),
        [_] => {}
        _ => errors.invalid(list, "", "may not have more than one field specified at a time"),
    }
    for kind in kinds {
        match source.at(kind).map(|source| source.text("name")) {
            Some("") | None => errors.required(format!("{path}.{kind}.name"), ""),
            Some(name) => errors.invalid_each(&format!("{path}.{kind}.name"), name, names::subdomain(name)),
        }
    }
}
