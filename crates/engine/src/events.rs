//! Events: what happened to an object, told once and counted after that.

use crate::objects::Objects;
use base::Timestamp;
use k8s::kinds::EVENT;
use k8s::{Fields, ObjectRef, Value};
use serde_json::json;

/// One thing to tell.
pub struct Told<'a> {
    /// The object.
    pub regarding: &'a ObjectRef,
    /// Its uid.
    pub uid: &'a str,
    /// Whether it is a warning.
    pub warning: bool,
    /// One word.
    pub reason: &'a str,
    /// One sentence.
    pub message: &'a str,
    /// Who tells it.
    pub component: &'a str,
}

/// Tells it. An event that cannot be written is lost: it is news, not state.
pub async fn tell(objects: &dyn Objects, told: &Told<'_>, now: Timestamp) {
    let namespace = if told.regarding.namespace.is_empty() { "default" } else { &told.regarding.namespace };
    let name = format!("{}.{}", told.regarding.name, fingerprint(told));
    let written = match objects.get(EVENT, namespace, &name) {
        Some(event) => objects.update(told.component, EVENT, again(&event, now)).await,
        None => objects.create(told.component, EVENT, first(told, namespace, &name, now)).await,
    };
    drop(written);
}

fn first(told: &Told<'_>, namespace: &str, name: &str, now: Timestamp) -> Value {
    let kind = told.regarding.kind;
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"apiVersion": kind.api_version(), "kind": kind.kind, "namespace": told.regarding.namespace,
            "name": told.regarding.name, "uid": told.uid},
        "reason": told.reason, "message": told.message, "type": if told.warning { "Warning" } else { "Normal" }, "count": 1,
        "firstTimestamp": now.rfc3339(), "lastTimestamp": now.rfc3339(), "eventTime": null,
        "source": {"component": told.component}, "reportingComponent": told.component, "reportingInstance": ""})
}

fn again(event: &Value, now: Timestamp) -> Value {
    let mut event = event.clone();
    event["count"] = json!(event.int("count").unwrap_or(1) + 1);
    event["lastTimestamp"] = json!(now.rfc3339());
    event
}

/// The same happening to the same object has the same name, and is counted.
fn fingerprint(told: &Told<'_>) -> String {
    let parts = [told.uid, told.reason, told.message, told.component];
    let hash = parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
