//! Deployment.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

/// What the controller takes for "no deadline".
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(super) fn judge(object: &Value) -> Verdict {
    let progressing = object.condition("Progressing");
    let reason = progressing.map_or("", |condition| condition.text("reason"));
    let deadline = object.int("spec.progressDeadlineSeconds").unwrap_or(NO_DEADLINE);
    if reason == "ProgressDeadlineExceeded" {
        return Verdict::failed(format!("no progress for {deadline} s"));
    }
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let [all, updated, ready, available] =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(|name| count(object, &format!("status.{name}")));
    if updated < wanted {
        let refused = object.condition("ReplicaFailure").filter(|condition| condition.text("status") == "True");
        let why = refused.map(|condition| format!("; more are refused: {}", condition.text("message"))).unwrap_or_default();
        let paused = if object.flag("spec.paused") { "; it is paused" } else { "" };
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release{why}{paused}"));
    }
    if all < wanted {
        return Verdict::progress(format!("{all} of {wanted} pods are there"));
    }
    if all > wanted {
        return Verdict::progress(format!("{} pods too many are still there", all - wanted));
    }
    if ready < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    if available < updated {
        return Verdict::progress(format!("{available} of {updated} pods are available"));
    }
    // Without a deadline the controller keeps no such condition.
    if deadline != NO_DEADLINE && !(is(object, "Progressing", "True") && reason == "NewReplicaSetAvailable") {
        return Verdict::progress("the new pods are not counted as available yet");
    }
    if !is(object, "Available", "True") {
        return Verdict::progress("not available yet");
    }
    Verdict::current(if wanted == 0 { "wants no pods".to_owned() } else { format!("{ready} of {wanted} pods are ready") })
}
