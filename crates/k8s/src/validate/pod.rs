//! Pods and templates of pods.

use super::container::{self, Common, Role};
use super::{Errors, meta, names, placement, security, volumes};
use crate::object::Fields;
use crate::{Cause, Value};

/// A pod.
pub fn pod(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    if let Some(spec) = object.at("spec") {
        template_spec(spec, "spec", &mut errors);
        if old.is_none() && !spec.items("ephemeralContainers").is_empty() {
            errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
        if let Some(old) = old.and_then(|old| old.at("spec")) {
            update(spec, old, &mut errors);
        }
    }
    errors.finish()
}

/// The `spec` of a pod or of a template.
pub fn template_spec(spec: &Value, path: &str, errors: &mut Errors) {
    if path != "spec" && !spec.items("ephemeralContainers").is_empty() {
        errors.forbidden(format!("{path}.ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
    let common = Common { volumes: volumes::check(spec, path, errors), host_network: spec.flag("hostNetwork"), is_pod: path == "spec" };
    if spec.items("containers").is_empty() {
        errors.required(format!("{path}.containers"), "");
    }
    let mut seen = Vec::new();
    for (list, role) in [("containers", Role::Main), ("initContainers", Role::Init)] {
        for (at, container) in spec.items(list).iter().enumerate() {
            let path = format!("{path}.{list}[{at}]");
            container::check(container, role, &path, &common, errors);
            let name = container.text("name");
            if !name.is_empty() && seen.contains(&name) {
                errors.duplicate(format!("{path}.name"), name);
            }
            seen.push(name);
        }
    }
    host_ports(spec, path, errors);
    errors.one_of(format!("{path}.restartPolicy"), spec.text("restartPolicy"), &["Always", "OnFailure", "Never"]);
    errors.one_of(format!("{path}.dnsPolicy"), spec.text("dnsPolicy"), &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    if spec.text("dnsPolicy") == "None" && spec.items("dnsConfig.nameservers").is_empty() {
        errors.required(format!("{path}.dnsConfig.nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    security::of_pod(spec, path, errors);
    placement::check(spec, path, errors);
    names_served(spec, path, errors);
    if let Some(seconds) = spec.int("activeDeadlineSeconds") {
        errors.in_range(format!("{path}.activeDeadlineSeconds"), seconds, 1, i64::from(i32::MAX));
    }
    named(spec, path, errors);
    meta::labels(spec.at("nodeSelector"), &format!("{path}.nodeSelector"), errors);
    tolerations(spec, path, errors);
    aliases(spec, path, errors);
}

fn named(spec: &Value, path: &str, errors: &mut Errors) {
    let rules: [(&str, names::Rule); 5] = [
        ("serviceAccountName", names::subdomain),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
    ];
    for (name, rule) in rules {
        let found = spec.text(name);
        if !found.is_empty() {
            errors.invalid_each(&format!("{path}.{name}"), found, rule(found));
        }
    }
}

/// The same port of the host cannot be taken twice.
fn host_ports(spec: &Value, path: &str, errors: &mut Errors) {
    let mut seen = Vec::new();
    for (at, container) in spec.items("containers").iter().enumerate() {
        for (port_at, port) in container.items("ports").iter().enumerate() {
            let Some(number) = port.int("hostPort").filter(|&number| number != 0) else { continue };
            let key = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if seen.contains(&key) {
                errors.duplicate(format!("{path}.containers[{at}].ports[{port_at}].hostPort"), key.clone());
            }
            seen.push(key);
        }
    }
}

/// `dnsConfig` and `readinessGates`.
fn names_served(spec: &Value, path: &str, errors: &mut Errors) {
    for (at, server) in spec.items("dnsConfig.nameservers").iter().enumerate() {
        super::network::address(server.as_str().unwrap_or_default(), &format!("{path}.dnsConfig.nameservers[{at}]"), errors);
    }
    for (at, search) in spec.items("dnsConfig.searches").iter().enumerate() {
        let search = search.as_str().unwrap_or_default();
        if search != "." {
            // Underscores stand in names that are searched.
            let bare = search.strip_suffix('.').unwrap_or(search).replace('_', "a");
            errors.invalid_each(&format!("{path}.dnsConfig.searches[{at}]"), search, names::subdomain(&bare));
        }
    }
    for (at, option) in spec.items("dnsConfig.options").iter().enumerate() {
        if option.text("name").is_empty() {
            errors.required(format!("{path}.dnsConfig.options[{at}]"), "must not be empty");
        }
    }
    for (at, gate) in spec.items("readinessGates").iter().enumerate() {
        let kind = gate.text("conditionType");
        errors.invalid_each(&format!("{path}.readinessGates[{at}].conditionType"), kind, names::label_key(kind));
    }
}

fn tolerations(spec: &Value, path: &str, errors: &mut Errors) {
    for (at, toleration) in spec.items("tolerations").iter().enumerate() {
        let path = format!("{path}.tolerations[{at}]");
        let (key, operator, effect) = (toleration.text("key"), toleration.text("operator"), toleration.text("effect"));
        if !key.is_empty() {
            errors.invalid_each(&format!("{path}.key"), key, names::label_key(key));
        } else if operator != "Exists" {
            errors.invalid(
                format!("{path}.operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            );
        }
        if toleration.at("tolerationSeconds").is_some() && effect != "NoExecute" {
            errors.invalid(format!("{path}.effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
        }
        match operator {
            "Exists" if !toleration.text("value").is_empty() => {
                errors.invalid(format!("{path}.operator"), toleration.text("value"), "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            "" | "Equal" => {
                errors.invalid_each(&format!("{path}.operator"), toleration.text("value"), names::label_value(toleration.text("value")))
            }
            other => errors.unsupported(format!("{path}.operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            errors.one_of(format!("{path}.effect"), effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}

fn aliases(spec: &Value, path: &str, errors: &mut Errors) {
    for (at, alias) in spec.items("hostAliases").iter().enumerate() {
        super::network::address(alias.text("ip"), &format!("{path}.hostAliases[{at}].ip"), errors);
        for (name_at, name) in alias.items("hostnames").iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            errors.invalid_each(&format!("{path}.hostAliases[{at}].hostnames[{name_at}]"), name, names::subdomain(name));
        }
    }
}

/// A pod whose `ephemeralContainers` change: more may come, none may change or go.
pub fn ephemeral_containers(new: &Value, old: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    let (Some(spec), Some(was)) = (new.at("spec"), old.at("spec")) else { return errors.finish() };
    let common =
        Common { volumes: volumes::check(spec, "spec", &mut Errors::default()), host_network: spec.flag("hostNetwork"), is_pod: true };
    let others = || spec.items("containers").iter().chain(spec.items("initContainers"));
    let mut seen: Vec<&str> = others().map(|container| container.text("name")).collect();
    for (at, container) in spec.items("ephemeralContainers").iter().enumerate() {
        let path = format!("spec.ephemeralContainers[{at}]");
        container::check(container, Role::Ephemeral, &path, &common, &mut errors);
        let (name, target) = (container.text("name"), container.text("targetContainerName"));
        if seen.contains(&name) {
            errors.duplicate(format!("{path}.name"), name);
        }
        seen.push(name);
        if !target.is_empty() && !others().any(|other| other.text("name") == target) {
            errors.not_found(format!("{path}.targetContainerName"), target);
        }
    }
    for old in was.items("ephemeralContainers") {
        let name = old.text("name");
        match spec.items("ephemeralContainers").iter().find(|new| new.text("name") == name) {
            None => errors.forbidden("spec.ephemeralContainers", &format!("existing ephemeral containers \"{name}\" may not be removed")),
            Some(new) if new != old => {
                errors.forbidden("spec.ephemeralContainers", &format!("existing ephemeral containers \"{name}\" may not be changed"));
            }
            Some(_) => {}
        }
    }
    errors.finish()
}

/// A pod whose containers' resources change in place. Source: the page "Resize CPU and Memory Resources assigned to Containers" of the
/// Kubernetes documentation, and KEP-1287.
pub fn resize(new: &Value, old: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    for list in ["containers", "initContainers"] {
        let path = format!("spec.{list}");
        let (before, after) = (old.items(&path), new.items(&path));
        if before.len() != after.len() {
            errors.forbidden(&path, "containers may not be added or removed on resize");
            continue;
        }
        for (at, (old, new)) in before.iter().zip(after).enumerate() {
            let path = format!("{path}[{at}]");
            if old.text("name") != new.text("name") {
                errors.forbidden(format!("{path}.name"), "containers may not be renamed or reordered on resize");
            } else if old.at("resources") != new.at("resources") {
                resized(old, new, list, &path, &mut errors);
            }
        }
    }
    if old.text("status.qosClass") != quality_of_service(new) && !old.text("status.qosClass").is_empty() {
        errors.invalid("spec", quality_of_service(new), "Pod QOS Class may not change as a result of resizing");
    }
    errors.finish()
}

fn resized(old: &Value, new: &Value, list: &str, path: &str, errors: &mut Errors) {
    if list == "initContainers" && new.text("restartPolicy") != "Always" {
        return errors.forbidden(format!("{path}.resources"), "only the resources of sidecar containers may be resized");
    }
    if let Some(wanted) = new.at("resources") {
        super::resources::check(wanted, &format!("{path}.resources"), errors);
    }
    for side in ["limits", "requests"] {
        let amounts = |container: &Value| container.at("resources").and_then(|all| all.at(side)).and_then(Value::as_object).cloned();
        let (before, after) = (amounts(old).unwrap_or_default(), amounts(new).unwrap_or_default());
        for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
            let at = format!("{path}.resources.{side}");
            match (before.get(name), after.get(name)) {
                (old, new) if old == new => {}
                _ if !matches!(name.as_str(), "cpu" | "memory") => {
                    errors.forbidden(at, "only cpu and memory resources are mutable");
                }
                (Some(_), None) => errors.forbidden(at, &format!("resource {side} cannot be removed")),
                _ => {}
            }
        }
    }
}

/// Source: the page "Pod Quality of Service Classes" of the Kubernetes documentation.
pub fn quality_of_service(pod: &Value) -> &'static str {
    let (mut any, mut all) = (false, true);
    for container in pod.items("spec.containers").iter().chain(pod.items("spec.initContainers")) {
        for resource in ["cpu", "memory"] {
            let amount = |side: &str| {
                let text = container
                    .at("resources")
                    .and_then(|resources| resources.at(side))
                    .and_then(|amounts| amounts.member(resource))
                    .and_then(Value::as_str);
                text.and_then(crate::quantity::parse_milli).filter(|milli| *milli > 0)
            };
            let (request, limit) = (amount("requests"), amount("limits"));
            any |= request.is_some() || limit.is_some();
            all &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// What may change in a pod that exists.
fn update(new: &Value, old: &Value, errors: &mut Errors) {
    for list in ["containers", "initContainers"] {
        if new.items(list).len() != old.items(list).len() {
            return errors.forbidden(format!("spec.{list}"), "pod updates may not add or remove containers");
        }
    }
    match (new.int("activeDeadlineSeconds"), old.int("activeDeadlineSeconds")) {
        (Some(new), Some(old)) if new > old => {
            return errors.invalid("spec.activeDeadlineSeconds", new, "must be less than or equal to previous value");
        }
        (None, Some(_)) => {
            errors.invalid("spec.activeDeadlineSeconds", Value::Null, "must not update from a positive integer to nil value")
        }
        _ => {}
    }
    let kept = |toleration: &Value| new.items("tolerations").iter().any(|new| same_toleration(new, toleration));
    if !old.items("tolerations").iter().all(kept) {
        errors.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
    }
    for gate in new.items("schedulingGates") {
        if !old.items("schedulingGates").contains(gate) {
            let told = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.text("name"));
            errors.forbidden("spec.schedulingGates", &told);
        }
    }
    if munged(new, old) != munged(old, old) {
        errors.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        );
    }
}

fn same_toleration(one: &Value, other: &Value) -> bool {
    ["key", "operator", "value", "effect"].iter().all(|name| one.text(name) == other.text(name))
}

/// A spec without what may change. The node's name may be set once: that is how the scheduler's own write is checked too.
fn munged(spec: &Value, old: &Value) -> Value {
    let mut spec = spec.clone();
    for name in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        spec.unset(name);
    }
    if old.text("nodeName").is_empty() {
        spec.unset("nodeName");
    }
    if old.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        spec.unset("terminationGracePeriodSeconds");
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            container.unset("image");
        }
    }
    spec
}
