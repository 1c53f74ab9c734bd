//! Everything, as one JSON document: the report with what the gate made of it. `--baseline` reads it again.

use super::Shown;
use crate::matching::Vulnerability;
use serde_json::{Value, json};

pub(super) fn render(shown: &Shown<'_>) -> String {
    let mut document = serde_json::to_value(shown.report).unwrap_or_default();
    let (gate, judged) = (shown.gate, shown.judged);
    let ids = |found: &[Vulnerability]| found.iter().map(|found| found.id.clone()).collect::<Vec<String>>();
    let ignored: Vec<Value> = judged
        .ignored
        .iter()
        .map(|one| json!({"id": one.vulnerability.id, "package": one.vulnerability.package.package, "by": one.by}))
        .collect();
    document["gate"] = json!({
        "mode": gate.mode,
        "unjudged": gate.unjudged,
        "unjudged_counted": judged.unjudged.len(),
        "fail_on": gate.fail_on,
        "only_fixable": gate.only_fixable,
        "stops": judged.stops(gate.mode),
        "counted": ids(&judged.counted),
        "ignored": ignored,
        "expired": judged.expired,
        "unused": judged.unused,
        "stale": judged.stale,
    });
    document.to_string()
}
