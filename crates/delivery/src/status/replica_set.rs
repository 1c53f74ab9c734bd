//! ReplicaSet, and ReplicationController, which counts its pods alike.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let [all, labelled, ready, available] =
        ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"].map(|name| count(object, &format!("status.{name}")));
    if is(object, "ReplicaFailure", "True") {
        let why = object.condition("ReplicaFailure").map_or("", |condition| condition.text("message"));
        return Verdict::progress(format!("pods cannot be made: {why}"));
    }
    if labelled < wanted {
        return Verdict::progress(format!("{labelled} of {wanted} pods are there"));
    }
    if ready < wanted || available < wanted {
        return Verdict::progress(format!("{} of {wanted} pods are ready", ready.min(available)));
    }
    if all > wanted {
        return Verdict::progress(format!("{} pods too many are still there", all - wanted));
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}
