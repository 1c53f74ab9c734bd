//! DaemonSet.

use super::{Verdict, count};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    if object.at("status.observedGeneration").is_none() {
        return Verdict::progress("not seen by its controller yet");
    }
    let [wanted, updated, available, ready] = ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"]
        .map(|name| count(object, &format!("status.{name}")));
    if object.text("spec.updateStrategy.type") != "OnDelete" && updated < wanted {
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release"));
    }
    if available < wanted || ready < wanted {
        return Verdict::progress(format!("{ready} of {wanted} pods are ready"));
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}
