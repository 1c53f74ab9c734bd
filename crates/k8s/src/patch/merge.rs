//! JSON merge patch. Source: RFC 7386 section 2.

use crate::object::Value;
use serde_json::Map;

/// The document with a patch laid over it: `null` removes, maps merge, anything else replaces.
///
/// Recursion is as deep as the patch is nested, which the JSON reader bounds.
pub fn merge_patch(document: &Value, patch: &Value) -> Value {
    let mut patched = document.clone();
    lay(&mut patched, patch);
    patched
}

fn lay(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            lay(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
