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

/// An object as it is stored.
pub fn back(kind: &'static Kind, object: Value) -> Value {
    if is_plain(kind) { object } else { renamed(EVENT, &object, |(stored, shown)| (shown, stored)) }
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
}
