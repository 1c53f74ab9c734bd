//! Where a pod may run: affinity, spreading.

use super::{Errors, names};
use crate::Value;
use crate::object::Fields;

/// Of the `spec` of a pod.
pub fn check(spec: &Value, path: &str, errors: &mut Errors) {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    if let Some(wanted) = spec.at(&format!("affinity.nodeAffinity.{required}")) {
        node_selector(wanted, &format!("{path}.affinity.nodeAffinity.{required}"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (at, term) in spec.items(&format!("affinity.{kind}.{required}")).iter().enumerate() {
            let path = format!("{path}.affinity.{kind}.{required}[{at}]");
            topology(term, &path, errors);
            if let Some(selector) = term.at("labelSelector") {
                super::selector::check(selector, &format!("{path}.labelSelector"), errors);
            }
        }
    }
    for (at, constraint) in spec.items("topologySpreadConstraints").iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{at}]");
        if constraint.int("maxSkew").unwrap_or(0) <= 0 {
            errors.invalid(format!("{path}.maxSkew"), constraint.int("maxSkew").unwrap_or(0), "must be greater than zero");
        }
        if constraint.text("topologyKey").is_empty() {
            errors.required(format!("{path}.topologyKey"), "can not be empty");
        }
        if let Some(selector) = constraint.at("labelSelector") {
            super::selector::check(selector, &format!("{path}.labelSelector"), errors);
        }
        errors.one_of(format!("{path}.whenUnsatisfiable"), constraint.text("whenUnsatisfiable"), &["DoNotSchedule", "ScheduleAnyway"]);
    }
}

fn topology(term: &Value, path: &str, errors: &mut Errors) {
    let key = term.text("topologyKey");
    if key.is_empty() {
        errors.required(format!("{path}.topologyKey"), "can not be empty");
    }
    errors.invalid_each(&format!("{path}.topologyKey"), key, names::label_key(key));
}

/// A selector of nodes, also that of a PersistentVolume.
pub fn node_selector(selector: &Value, path: &str, errors: &mut Errors) {
    let path = format!("{path}.nodeSelectorTerms");
    if selector.items("nodeSelectorTerms").is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (at, term) in selector.items("nodeSelectorTerms").iter().enumerate() {
        for (requirement_at, requirement) in term.items("matchExpressions").iter().enumerate() {
            self::requirement(requirement, &format!("{path}[{at}].matchExpressions[{requirement_at}]"), errors);
        }
    }
}

fn requirement(requirement: &Value, path: &str, errors: &mut Errors) {
    let values = requirement.items("values");
    match requirement.text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(format!("{path}.values"), "must be specified when `operator` is 'In' or 'NotIn'")
        }
        "In" | "NotIn" => {}
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.forbidden(format!("{path}.values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Exists" | "DoesNotExist" => {}
        "Lt" | "Gt" if values.len() != 1 => {
            errors.required(format!("{path}.values"), "must be specified single value when `operator` is 'Lt' or 'Gt'")
        }
        "Lt" | "Gt" => {}
        other => errors.invalid(format!("{path}.operator"), other, "not a valid selector operator"),
    }
    for (at, value) in values.iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        errors.invalid_each(&format!("{path}.values[{at}]"), value, names::label_value(value));
    }
    errors.invalid_each(&format!("{path}.key"), requirement.text("key"), names::label_key(requirement.text("key")));
}
