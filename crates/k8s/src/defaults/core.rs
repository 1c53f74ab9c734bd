//! Small kinds of the core group, and PriorityClass.

use super::{each, fill, fill_pointer, inside, round_amounts};
use crate::Value;
use crate::object::Fields;
use serde_json::{Map, json};

/// `stringData` becomes `data`, and the type is `Opaque`.
pub fn secret(object: &mut Value) {
    use base64::Engine;
    fill(object, "type", "Opaque");
    let Some(Value::Object(texts)) = object.as_object_mut().and_then(|members| members.remove("stringData")) else { return };
    for (key, text) in texts {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        if object.at("data").is_none() {
            object.set("data", json!({}));
        }
        if let Some(data) = inside(object, "data").and_then(Value::as_object_mut) {
            data.insert(key, Value::String(encoded));
        }
    }
}

/// Its name as a label, the phase, and the finalizer that lets the namespace be emptied.
pub fn namespace(object: &mut Value) {
    let name = object.name().to_owned();
    if !name.is_empty() {
        if object.at("metadata.labels").is_none() {
            object.set("metadata.labels", json!({}));
        }
        if let Some(labels) = inside(object, "metadata.labels").and_then(Value::as_object_mut) {
            labels.insert("kubernetes.io/metadata.name".to_owned(), Value::String(name));
        }
    }
    fill(object, "status.phase", "Active");
}

/// What can be given to pods is all that there is.
pub fn node(object: &mut Value) {
    for path in ["status.capacity", "status.allocatable"] {
        round_amounts(object, path);
    }
    if let Some(capacity) = object.at("status.capacity").cloned() {
        fill(object, "status.allocatable", capacity);
    }
}

/// Amounts in thousandths.
pub fn resource_quota(object: &mut Value) {
    for path in ["spec.hard", "status.hard", "status.used"] {
        round_amounts(object, path);
    }
}

/// What an item does not say follows from its bounds.
pub fn limit_range(object: &mut Value) {
    for item in each(object, "spec.limits") {
        for name in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            round_amounts(item, name);
        }
        if item.text("type") != "Container" {
            continue;
        }
        complete(item, "default", "max");
        complete(item, "defaultRequest", "default");
        complete(item, "defaultRequest", "min");
    }
}

fn complete(item: &mut Value, name: &str, from: &str) {
    let source = item.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut target = item.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, amount) in source {
        target.entry(key).or_insert(amount);
    }
    set_or_drop(item, name, target);
}

/// An empty map is left out, as Go leaves it out.
fn set_or_drop(item: &mut Value, name: &str, members: Map<String, Value>) {
    if members.is_empty() {
        item.unset(name);
    } else {
        item.set(name, Value::Object(members));
    }
}

/// Pods of it drive out others.
pub fn priority_class(object: &mut Value) {
    fill_pointer(object, "preemptionPolicy", "PreemptLowerPriority");
}
