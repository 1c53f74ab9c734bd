//! Any kind, by the conditions that kinds agreed on.

use super::Verdict;
use k8s::{Fields, Value};

/// The conditions that count for every kind, the first that holds before the others.
pub(super) fn standard(object: &Value) -> Option<Verdict> {
    object.items("status.conditions").iter().filter(|condition| condition.text("status") == "True").find_map(|condition| {
        match condition.text("type") {
            "Reconciling" => Some(Verdict::progress(told(condition))),
            "Stalled" => Some(Verdict::failed(told(condition))),
            _ => None,
        }
    })
}

/// Kinds that have no rules of their own.
pub(super) fn judge(object: &Value) -> Verdict {
    let Some(ready) = object.condition("Ready") else { return Verdict::current("there") };
    match ready.text("status") {
        "False" | "Unknown" => Verdict::progress(told(ready)),
        "True" => Verdict::current("ready"),
        _ => Verdict::current("there"),
    }
}

fn told(condition: &Value) -> String {
    let told = [condition.text("message"), condition.text("reason"), condition.text("type")];
    told.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}
