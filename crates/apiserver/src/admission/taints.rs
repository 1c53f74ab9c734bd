//! A pod stays five minutes on a node that is not ready or not reachable, unless it says otherwise; an update that leaves
//! this out means no change of it.
//!
//! Source: kubernetes `plugin/pkg/admission/defaulttolerationseconds`.

use super::{Admission, Review};
use k8s::kinds::POD;
use k8s::{ApiError, Fields, Value};
use serde_json::json;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "DefaultTolerationSeconds", review };

const SECONDS: i64 = 300;

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if review.call.target.kind != POD || !review.call.target.subresource.is_empty() {
        return Ok(());
    }
    let mut tolerations = review.object.items("spec.tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|toleration| tolerates(toleration, key)) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}));
        }
    }
    review.object.set("spec.tolerations", tolerations);
    Ok(())
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    matches!(toleration.text("key"), named if named == key || named.is_empty()) && matches!(toleration.text("effect"), "" | "NoExecute")
}
