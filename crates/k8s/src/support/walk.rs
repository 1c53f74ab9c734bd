//! Finds the places of a pattern in an object.

use crate::Value;

/// Calls `found` for every value that is there (not null) at a pattern such as `spec.volumes[].csi`.
pub fn find(object: &Value, pattern: &str, found: &mut dyn FnMut(&str, &Value)) {
    step(object, String::new(), pattern, found);
}

fn step(value: &Value, path: String, pattern: &str, found: &mut dyn FnMut(&str, &Value)) {
    if pattern.is_empty() {
        if !value.is_null() {
            found(&path, value);
        }
        return;
    }
    let (name, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let (name, listed) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    let Some(inner) = value.get(name) else { return };
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if listed {
        for (at, item) in inner.as_array().into_iter().flatten().enumerate() {
            step(item, format!("{path}[{at}]"), rest, found);
        }
    } else {
        step(inner, path, rest, found);
    }
}
