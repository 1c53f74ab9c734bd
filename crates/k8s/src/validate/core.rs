//! Namespaces, nodes, events, leases, classes of priority and of runtimes.

use super::{Errors, meta, names};
use crate::object::Fields;
use crate::{Cause, Value};

/// Classes of users may not be above this.
const MOST_PRIORITY: i64 = 1_000_000_000;

/// A Namespace.
pub fn namespace(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::label, &mut errors);
    for finalizer in object.items("spec.finalizers") {
        let name = finalizer.as_str().unwrap_or_default();
        errors.invalid_each("spec.finalizers", name, names::label_key(name));
        if !name.contains('/') && name != "kubernetes" {
            errors.invalid("spec.finalizers", name, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
    errors.finish()
}

/// A Node.
pub fn node(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let mut seen = Vec::new();
    for (at, taint) in object.items("spec.taints").iter().enumerate() {
        let path = format!("spec.taints[{at}]");
        let (key, effect) = (taint.text("key"), taint.text("effect"));
        errors.invalid_each(&format!("{path}.key"), key, names::label_key(key));
        errors.invalid_each(&format!("{path}.value"), taint.text("value"), names::label_value(taint.text("value")));
        match effect {
            "" => errors.required(format!("{path}.effect"), ""),
            effect => errors.one_of(format!("{path}.effect"), effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        }
        if seen.contains(&(key, effect)) {
            errors.duplicate(&path, serde_json::json!({"key": key, "effect": effect}));
        }
        seen.push((key, effect));
    }
    if let Some(old) = old {
        let before = old.text("spec.podCIDR");
        if !before.is_empty() && object.text("spec.podCIDR") != before {
            errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
        }
    }
    errors.finish()
}

/// An Event of the core group.
pub fn event(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    event_about(object, old, "involvedObject")
}

/// An Event of `events.k8s.io`.
pub fn events_event(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    event_about(object, old, "regarding")
}

/// An event stands in the namespace of its object; events about cluster-wide objects stand in `default`.
fn event_about(object: &Value, old: Option<&Value>, about: &str) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let found = object.at(about).map_or("", |about| about.text("namespace"));
    let own = object.namespace();
    let in_default = found.is_empty() && matches!(own, "default" | "kube-system");
    if found != own && !in_default {
        errors.invalid("involvedObject.namespace", found, "does not match event.namespace");
    }
    errors.finish()
}

/// A Lease.
pub fn lease(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    if let Some(seconds) = object.int("spec.leaseDurationSeconds").filter(|&seconds| seconds <= 0) {
        errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
    }
    errors.not_negative("spec.leaseTransitions", object.int("spec.leaseTransitions"));
    errors.finish()
}

/// A PriorityClass.
pub fn priority_class(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let system = matches!(object.name(), "system-node-critical" | "system-cluster-critical");
    if !system && object.name().starts_with("system-") {
        let told = "priority class names with 'system-' prefix are reserved for system use only";
        errors.forbidden("metadata.name", told);
    }
    if !system && object.int("value").is_some_and(|value| value > MOST_PRIORITY) {
        errors.forbidden("value", &format!("maximum allowed value of a user defined priority is {MOST_PRIORITY}"));
    }
    errors.one_of("preemptionPolicy", object.text("preemptionPolicy"), &["PreemptLowerPriority", "Never"]);
    if let Some(old) = old {
        if object.at("value") != old.at("value") {
            errors.forbidden("value", "may not be changed in an update.");
        }
        errors.immutable("preemptionPolicy", object.at("preemptionPolicy"), old.at("preemptionPolicy"));
    }
    errors.finish()
}

/// A RuntimeClass.
pub fn runtime_class(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    errors.invalid_each("handler", object.text("handler"), names::label(object.text("handler")));
    super::resources::amounts(object, "overhead.podFixed", &mut errors);
    for (key, value) in object.texts("scheduling.nodeSelector") {
        errors.invalid_each("scheduling.nodeSelector", key, names::label_key(key));
        errors.invalid_each("scheduling.nodeSelector", value, names::label_value(value));
    }
    if let Some(old) = old {
        errors.immutable("handler", object.at("handler"), old.at("handler"));
    }
    errors.finish()
}
