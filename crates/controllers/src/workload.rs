//! What workload controllers share: ownership, readiness, names, counts given as numbers or percentages.

use crate::world::World;
use base::Timestamp;
use k8s::{Fields, Kind, ObjectRef, Value};
use serde_json::json;
use std::time::Duration;

/// The owner reference of a controller to its object.
pub fn controller_reference(kind: &Kind, owner: &Value) -> Value {
    json!({"apiVersion": kind.api_version(), "kind": kind.kind, "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true})
}

/// The object of `kind` that controls this one, for [`crate::Watch::concerns`].
pub fn controller_of(kind: &'static Kind, object: &Value) -> Vec<ObjectRef> {
    let owner = object.controller().filter(|owner| owner.text("kind") == kind.kind && owner.text("apiVersion") == kind.api_version());
    owner.map(|owner| ObjectRef::new(kind, object.namespace(), owner.text("name"))).into_iter().collect()
}

/// Whether a pod neither ended nor is about to.
pub fn is_active(pod: &Value) -> bool {
    !matches!(pod.text("status.phase"), "Succeeded" | "Failed") && !pod.is_terminating()
}

/// Whether a pod's condition `Ready` is true.
pub fn is_ready(pod: &Value) -> bool {
    pod.condition("Ready").is_some_and(|condition| condition.text("status") == "True")
}

/// Whether a pod has been ready for `min_ready_seconds`, and if not, how long until it will have been.
pub fn availability(pod: &Value, min_ready_seconds: i64, now: Timestamp) -> Availability {
    if !is_ready(pod) {
        return Availability::No;
    }
    let wanted = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    let since = pod.condition("Ready").and_then(|condition| condition.time("lastTransitionTime"));
    match since.map(|since| now.since(since)) {
        _ if wanted.is_zero() => Availability::Yes,
        Some(ready) if ready >= wanted => Availability::Yes,
        Some(ready) => Availability::In(wanted.saturating_sub(ready)),
        None => Availability::No,
    }
}

/// See [`availability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Available.
    Yes,
    /// Not ready.
    No,
    /// Ready, and available after this time.
    In(Duration),
}

/// An `IntOrString` of a total: a number, or a percentage rounded up or down.
pub fn scaled(value: Option<&Value>, total: i64, round_up: bool) -> i64 {
    match value {
        Some(Value::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let product = total.saturating_mul(percent);
            if round_up { product.saturating_add(99).div_euclid(100) } else { product.div_euclid(100) }
        }
        Some(value) => value.as_i64().unwrap_or(0),
        None => 0,
    }
}

/// Sets a condition; its transition time moves only when the status does. True when anything changed.
pub fn set_condition(conditions: &mut Vec<Value>, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> bool {
    let old = conditions.iter_mut().find(|condition| condition.text("type") == kind);
    let mut new = json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": now.rfc3339(), "lastUpdateTime": now.rfc3339()});
    match old {
        Some(old) => {
            if old.text("status") == status && old.text("reason") == reason && old.text("message") == message {
                return false;
            }
            if old.text("status") == status {
                new["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
    true
}

/// A short text of letters and digits that stands for a value: FNV-1a over its canonical JSON.
pub fn hash(value: &Value) -> String {
    let hash =
        value.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    // The alphabet has no vowels, so that no word is spelt; ten digits, as the names of ReplicaSets have.
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = hash;
    (0..10)
        .map(|_| {
            let digit = usize::try_from(rest % 27).unwrap_or(0);
            rest /= 27;
            char::from(ALPHABET[digit])
        })
        .collect()
}

/// All objects of a namespace of `kind` for which `concerned` holds, as references.
pub fn referring(world: &dyn World, kind: &'static Kind, namespace: &str, concerned: impl Fn(&Value) -> bool) -> Vec<ObjectRef> {
    let objects = world.list(kind, Some(namespace));
    objects.iter().filter(|object| concerned(object)).map(|object| ObjectRef::of(kind, object)).collect()
}

/// The object itself, for [`crate::Watch::concerns`].
pub fn itself(kind: &'static Kind, object: &Value) -> Vec<ObjectRef> {
    vec![ObjectRef::of(kind, object)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(scaled(Some(&json!("25%")), 10, true), 3);
        assert_eq!(scaled(Some(&json!("25%")), 10, false), 2);
        assert_eq!(scaled(Some(&json!(4)), 10, false), 4);
    }

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_stays() {
        let mut conditions = Vec::new();
        let (first, later) = (Timestamp::from_micros(0), Timestamp::from_micros(60_000_000));
        assert!(set_condition(&mut conditions, "Ready", "False", "a", "", first));
        assert!(!set_condition(&mut conditions, "Ready", "False", "a", "", later));
        assert!(set_condition(&mut conditions, "Ready", "False", "b", "", later));
        assert_eq!(conditions[0].time("lastTransitionTime"), Some(first));
        assert!(set_condition(&mut conditions, "Ready", "True", "b", "", later));
        assert_eq!(conditions[0].time("lastTransitionTime"), Some(later));
    }
}
