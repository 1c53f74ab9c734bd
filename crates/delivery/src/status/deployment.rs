//! Deployment.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let progressing = object.condition("Progressing");
    let reason = progressing.map_or("", |condition| condition.text("reason"));
    if reason == "ProgressDeadlineExceeded" {
        let seconds = object.int("spec.progressDeadlineSeconds").unwrap_or(600);
        return Verdict::failed(format!("no progress for {seconds} s"));
    }
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let [all, updated, ready, available] =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(|name| count(object, &format!("status.{name}")));
    if object.at("status.observedGeneration").is_none() {
        return Verdict::progress("not seen by its controller yet");
    }
    if updated < wanted {
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release"));
    }
    if all > updated {
        return Verdict::progress(format!("{} pods of the old release are still there", all - updated));
    }
    if ready < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    if available < wanted {
        return Verdict::progress(format!("{available} of {wanted} pods are available"));
    }
    // Without a deadline the controller keeps no such condition.
    if object.at("spec.progressDeadlineSeconds").is_some() && progressing.is_some() && reason != "NewReplicaSetAvailable" {
        return Verdict::progress("the new pods are not counted as available yet");
    }
    if wanted > 0 && !is(object, "Available", "True") {
        return Verdict::progress("not available yet");
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}
