//! DaemonSet.

use super::{Verdict, count};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let is_seen = object.at("metadata.generation").is_some() && object.at("status.observedGeneration").is_some();
    let Some(wanted) = object.int("status.desiredNumberScheduled").filter(|_| is_seen) else {
        return Verdict::progress("not seen by its controller yet");
    };
    let [there, updated, available, ready] = counts(object);
    if there < wanted {
        return Verdict::progress(format!("{there} of {wanted} pods are there"));
    }
    if available < wanted || ready < wanted {
        return Verdict::progress(format!("{} of {wanted} pods are ready", ready.min(available)));
    }
    if updated < wanted {
        let why = if changes_on_delete(object) { "; the others change when somebody deletes them" } else { "" };
        return Verdict::progress(format!("{updated} of {wanted} pods are of the new release{why}"));
    }
    Verdict::current(format!("{ready} of {wanted} pods are ready"))
}

fn counts(object: &Value) -> [i64; 4] {
    ["currentNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"]
        .map(|name| count(object, &format!("status.{name}")))
}

fn changes_on_delete(object: &Value) -> bool {
    object.text("spec.updateStrategy.type") == "OnDelete"
}

/// All its pods are ready, and old ones stay until somebody deletes them.
pub(super) fn is_left_to_people(object: &Value) -> bool {
    let seen = object.int("status.observedGeneration").is_some_and(|seen| object.int("metadata.generation") == Some(seen));
    let wanted = count(object, "status.desiredNumberScheduled");
    let [there, _, available, ready] = counts(object);
    changes_on_delete(object) && seen && [there, available, ready].iter().all(|count| *count >= wanted)
}
