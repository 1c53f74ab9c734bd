//! StatefulSet.

use super::{Verdict, count};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let ready = count(object, "status.readyReplicas");
    if object.text("spec.updateStrategy.type") == "OnDelete" {
        return Verdict::current("its pods change when they are deleted");
    }
    if object.at("status.observedGeneration").is_none() {
        return Verdict::progress("not seen by its controller yet");
    }
    let partition = object.int("spec.updateStrategy.rollingUpdate.partition").unwrap_or(0);
    let to_update = (wanted - partition).max(0);
    let updated = count(object, "status.updatedReplicas");
    if ready < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    if partition > 0 && updated < to_update {
        return Verdict::progress(format!("{updated} of {to_update} pods are of the new release"));
    }
    if partition == 0 && object.text("status.currentRevision") != object.text("status.updateRevision") {
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release"));
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}
