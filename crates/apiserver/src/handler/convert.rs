//! Two kinds that are views of the same stored objects: `events` of the core group and of `events.k8s.io`.
//!
//! Source: kubernetes `pkg/apis/events/v1/conversion.go`.

use k8s::kinds::{EVENT, EVENTS_EVENT};
use k8s::{Fields, Kind, Value};
use std::sync::Arc;

/// Stored name and shown name of each field that differs.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The kind as which objects of a kind are stored.
pub fn stored_kind(kind: &'static Kind) -> &'static Kind {
    if kind == EVENTS_EVENT { EVENT } else { kind }
}

/// Whether objects of a kind are stored as they are shown.
pub fn is_plain(kind: &'static Kind) -> bool {
    kind != EVENTS_EVENT
}

/// A stored object as a kind shows it.
pub fn out(kind: &'static Kind, object: Arc<Value>) -> Arc<Value> {
    if is_plain(kind) { object } else { Arc::new(renamed(kind, &object, |(stored, shown)| (stored, shown))) }
}

/// An object, or a patch of one, as it is stored.
pub fn back(kind: &'static Kind, mut object: Value) -> Value {
    match &mut object {
        _ if is_plain(kind) => object,
        Value::Array(operations) => {
            operations.iter_mut().for_each(point_back);
            object
        }
        _ => renamed(EVENT, &object, |(stored, shown)| (shown, stored)),
    }
}

/// The pointers of a JSON patch's operation.
fn point_back(operation: &mut Value) {
    for member in ["path", "from"] {
        let pointer = operation.text(member).strip_prefix('/').unwrap_or_default();
        let (first, rest) = pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
        if let Some((stored, _)) = NAMES.iter().find(|(_, shown)| *shown == first) {
            let moved = rest.map_or_else(|| format!("/{stored}"), |rest| format!("/{stored}/{rest}"));
            operation.set(member, moved);
        }
    }
}

fn renamed(kind: &'static Kind, object: &Value, direction: fn((&'static str, &'static str)) -> (&'static str, &'static str)) -> Value {
    let mut made = object.clone();
    for (from, to) in NAMES.map(direction) {
        if let Some(value) = object.member(from) {
            made.set(to, value.clone());
        }
        made.unset(from);
    }
    made.set("apiVersion", kind.api_version());
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_views_hold_the_same() {
        let stored =
            json!({"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "a"}, "message": "m", "reason": "r", "count": 2});
        let shown = out(EVENTS_EVENT, Arc::new(stored.clone()));
        assert_eq!(
            *shown,
            json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "a"}, "note": "m", "reason": "r", "deprecatedCount": 2})
        );
        assert_eq!(back(EVENTS_EVENT, (*shown).clone()), stored);
    }

    #[test]
    fn a_json_patch_points_at_what_is_stored() {
        let patch =
            json!([{"op": "replace", "path": "/note", "value": "n"}, {"op": "move", "from": "/regarding/name", "path": "/metadata/note"}]);
        let wanted = json!([{"op": "replace", "path": "/message", "value": "n"}, {"op": "move", "from": "/involvedObject/name", "path": "/metadata/note"}]);
        assert_eq!(back(EVENTS_EVENT, patch), wanted);
    }
}
