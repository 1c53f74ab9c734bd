//! ReplicaSet.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let [all, ready, available] = ["replicas", "readyReplicas", "availableReplicas"].map(|name| count(object, &format!("status.{name}")));
    if is(object, "ReplicaFailure", "True") {
        let why = object.condition("ReplicaFailure").map_or("", |condition| condition.text("message"));
        return Verdict::progress(format!("pods cannot be made: {why}"));
    }
    if object.at("status.observedGeneration").is_none() {
        return Verdict::progress("not seen by its controller yet");
    }
    if all != wanted || ready < wanted || available < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}
