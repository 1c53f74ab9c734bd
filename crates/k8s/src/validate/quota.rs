//! ResourceQuotas and LimitRanges.

use super::{Errors, meta, names, resources};
use crate::object::Fields;
use crate::quantity::parse_milli;
use crate::{Cause, Value};

const SCOPES: [&str; 7] =
    ["BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", "VolumeAttributesClass"];
/// Names without a prefix that a quota may count.
const COUNTED: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "requests.storage",
    "pods",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];

/// A ResourceQuota.
pub fn resource_quota(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    for list in ["spec.hard", "status.hard", "status.used"] {
        for (name, amount) in object.texts(list) {
            let path = format!("{list}[{name}]");
            errors.invalid_each(&path, name, names::label_key(name));
            let huge = name.contains("hugepages-");
            if !name.contains('/') && !huge && !COUNTED.contains(&name) {
                errors.invalid(&path, name, "must be a standard resource for quota");
            }
            resources::not_negative(&path, amount, &mut errors);
        }
    }
    for scope in object.items("spec.scopes") {
        let scope = scope.as_str().unwrap_or_default();
        if !SCOPES.contains(&scope) {
            errors.invalid("spec.scopes", object.at("spec.scopes").cloned().unwrap_or_default(), "unsupported scope");
        }
    }
    if let Some(old) = old {
        errors.immutable("spec.scopes", object.at("spec.scopes"), old.at("spec.scopes"));
    }
    errors.finish()
}

/// A LimitRange.
pub fn limit_range(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let mut seen = Vec::new();
    for (at, item) in object.items("spec.limits").iter().enumerate() {
        let path = format!("spec.limits[{at}]");
        let kind = item.text("type");
        errors.invalid_each(&format!("{path}.type"), kind, names::label_key(kind));
        if names::label_key(kind).is_empty() && !kind.contains('/') && !["Pod", "Container", "PersistentVolumeClaim"].contains(&kind) {
            errors.invalid(format!("{path}.type"), kind, "must be a standard limit type or fully qualified");
        }
        if seen.contains(&kind) {
            errors.duplicate(format!("{path}.type"), kind);
        }
        seen.push(kind);
        if kind == "Pod" {
            for name in ["default", "defaultRequest"] {
                if item.at(name).is_some() {
                    errors.forbidden(format!("{path}.{name}"), "may not be specified when `type` is 'Pod'");
                }
            }
        }
        bounds(item, &path, &mut errors);
    }
    errors.finish()
}

/// Pairs of which the first may not be more than the second: member, its name, other member, its name, the one that is told.
const ORDERED: [(&str, &str, &str, &str, &str); 6] = [
    ("min", "min", "max", "max", "min"),
    ("min", "min", "defaultRequest", "default request", "defaultRequest"),
    ("defaultRequest", "default request", "max", "max", "defaultRequest"),
    ("defaultRequest", "default request", "default", "default limit", "defaultRequest"),
    ("min", "min", "default", "default", "default"),
    ("default", "default", "max", "max", "default"),
];

fn bounds(item: &Value, path: &str, errors: &mut Errors) {
    for (low, low_name, high, high_name, told) in ORDERED {
        for (name, amount) in item.texts(low) {
            let Some(other) = item.at(high).and_then(|other| other.member(name)).and_then(Value::as_str) else { continue };
            if parse_milli(amount).zip(parse_milli(other)).is_some_and(|(low, high)| low > high) {
                let message = format!("{low_name} value {amount} is greater than {high_name} value {other}");
                errors.invalid(format!("{path}.{told}[{name}]"), amount, &message);
            }
        }
    }
    for (name, ratio) in item.texts("maxLimitRequestRatio") {
        if parse_milli(ratio).is_some_and(|ratio| ratio < 1_000) {
            errors.invalid(format!("{path}.maxLimitRequestRatio[{name}]"), ratio, &format!("ratio {ratio} is less than 1"));
        }
    }
}
