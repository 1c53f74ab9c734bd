//! What a record and its ledger say in words, wherever they are shown.

use ::delivery::approval::{Approval, signed_by};
use ::delivery::ledger::Entry;
use k8s::{Fields, Value};
use oci::Digest;

/// Whether the signatures that a record keeps of its plan hold: the key that signed, or why nothing can be said. Nothing where nobody
/// had to sign.
pub fn signature(plan: &Value) -> Option<Result<String, String>> {
    let by = Some(plan.text("approved_by")).filter(|by| !by.is_empty())?;
    let Ok(digest) = plan.text("digest").parse::<Digest>() else {
        return Some(Err("the record has no digest of the plan".to_owned()));
    };
    let approvals: Vec<Approval> = plan.at("approvals").and_then(|kept| serde_json::from_value(kept.clone()).ok()).unwrap_or_default();
    Some(signed_by(&approvals, &digest, by).map(|key| key.to_string()).map_err(|why| why.to_string()))
}

/// What an entry of the ledger tells: the event, and who, what came of it and why, in one line.
pub fn told(entry: &Entry) -> (String, String) {
    let event = serde_json::to_value(entry.event).unwrap_or_default().as_str().unwrap_or_default().to_owned();
    let cause = [entry.detail.text("cause"), entry.detail.text("cause.message")].into_iter().find(|cause| !cause.is_empty());
    let words = [entry.detail.text("by"), entry.detail.text("result.summary"), cause.unwrap_or_default()];
    (event, words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_approved_is_believed_only_by_the_signature() {
        for approvals in [json!([]), json!(null), json!([{"signature": "nonsense"}])] {
            let plan = json!({"digest": Digest::of(b"plan"), "approved_by": "ops (SHA256:x)", "approvals": approvals});
            assert!(matches!(signature(&plan), Some(Err(_))), "{plan}");
        }
        assert_eq!(signature(&json!({"approved_by": "ops"})), Some(Err("the record has no digest of the plan".to_owned())));
        assert_eq!(signature(&json!({"digest": Digest::of(b"plan")})), None);
    }
}
