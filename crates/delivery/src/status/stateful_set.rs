//! StatefulSet.

use super::{Verdict, count};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let wanted = object.int("spec.replicas").unwrap_or(1);
    let [all, ready, available, current, updated] =
        ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"]
            .map(|name| count(object, &format!("status.{name}")));
    if all < wanted {
        return Verdict::progress(format!("{all} of {wanted} pods are there"));
    }
    if ready < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    if count(object, "spec.minReadySeconds") > 0 && available < wanted {
        return Verdict::progress(format!("{available} of {wanted} pods are available"));
    }
    if object.text("spec.updateStrategy.type") == "OnDelete" {
        return Verdict::current(format!("{ready} of {wanted} pods are ready; they change when somebody deletes them"));
    }
    if all > wanted {
        return Verdict::progress(format!("{} pods too many are still there", all - wanted));
    }
    if let Some(partition) = object.int("spec.updateStrategy.rollingUpdate.partition") {
        let to_update = (wanted - partition).max(0);
        if updated < to_update {
            return Verdict::progress(format!("{updated} of {to_update} pods are of the new release"));
        }
    } else if current < wanted || object.text("status.currentRevision") != object.text("status.updateRevision") {
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release"));
    }
    Verdict::current(if wanted == 0 { "wants no pods".to_owned() } else { format!("{ready} of {wanted} pods are ready") })
}
