//! `metadata` of every object, and labels wherever they stand. Source: apimachinery `pkg/api/validation/objectmeta.go`.

use super::{Errors, names};
use crate::Value;
use crate::object::Fields;

/// Finalizers without a prefix.
const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
/// All annotations together, in bytes.
const MOST_ANNOTATIONS: usize = 256 << 10;

/// Checks `metadata`.
pub fn check(object: &Value, old: Option<&Value>, rule: names::Rule, errors: &mut Errors) {
    let prefix = object.text("metadata.generateName");
    if !prefix.is_empty() {
        // What is appended makes a trailing dash or dot good.
        errors.invalid_each("metadata.generateName", prefix, rule(prefix.trim_end_matches(['-', '.'])));
    }
    match object.name() {
        "" => errors.required("metadata.name", "name or generateName is required"),
        name => errors.invalid_each("metadata.name", name, rule(name)),
    }
    if !object.namespace().is_empty() {
        errors.invalid_each("metadata.namespace", object.namespace(), names::label(object.namespace()));
    }
    labels(object.at("metadata.labels"), "metadata.labels", errors);
    annotations(object.at("metadata.annotations"), "metadata.annotations", errors);
    owners(object, errors);
    finalizers(object, old, errors);
}

/// Checks a map of labels.
pub fn labels(found: Option<&Value>, path: &str, errors: &mut Errors) {
    for (key, value) in found.and_then(Value::as_object).into_iter().flatten() {
        errors.invalid_each(path, key, names::label_key(key));
        let value = value.as_str().unwrap_or_default();
        errors.invalid_each(path, value, names::label_value(value));
    }
}

/// Checks a map of annotations.
pub fn annotations(found: Option<&Value>, path: &str, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in found.and_then(Value::as_object).into_iter().flatten() {
        errors.invalid_each(path, key, names::label_key(&key.to_lowercase()));
        size += key.len() + value.as_str().unwrap_or_default().len();
    }
    if size > MOST_ANNOTATIONS {
        errors.too_long(path, MOST_ANNOTATIONS);
    }
}

fn owners(object: &Value, errors: &mut Errors) {
    let mut controller = "";
    for owner in object.items("metadata.ownerReferences") {
        let path = "metadata.ownerReferences";
        for (name, what) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            let found = owner.text(name);
            if found.is_empty() || name == "apiVersion" && found.matches('/').count() > 1 {
                errors.invalid(format!("{path}.{name}"), found, what);
            }
        }
        if owner.flag("controller") {
            if !controller.is_empty() {
                let told = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {controller} and {}",
                    owner.text("name")
                );
                errors.invalid(path, object.at(path).cloned().unwrap_or_default(), &told);
                return;
            }
            controller = owner.text("name");
        }
    }
}

fn finalizers(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = "metadata.finalizers";
    let named = |object: &Value| -> Vec<String> { object.items(path).iter().filter_map(|one| one.as_str().map(str::to_owned)).collect() };
    let found = named(object);
    for name in &found {
        errors.invalid_each(path, name, names::label_key(name));
    }
    for (at, name) in found.iter().enumerate() {
        if !name.contains('/') && !STANDARD.contains(&name.as_str()) {
            errors.invalid(format!("{path}[{at}]"), name.as_str(), "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
    if let Some(old) = old.filter(|old| old.is_terminating()) {
        let before = named(old);
        let new: Vec<&String> = found.iter().filter(|name| !before.contains(name)).collect();
        if !new.is_empty() {
            let told = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                new.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
            );
            errors.forbidden(path, &told);
        }
    }
}
