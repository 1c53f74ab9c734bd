//! Label selectors. Source: apimachinery `pkg/apis/meta/v1/validation`.

use super::{Errors, meta, names};
use crate::Value;
use crate::object::Fields;

/// Checks a `LabelSelector`.
pub fn check(selector: &Value, path: &str, errors: &mut Errors) {
    meta::labels(selector.at("matchLabels"), &format!("{path}.matchLabels"), errors);
    for (at, requirement) in selector.items("matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{at}]");
        let values = requirement.items("values");
        match requirement.text("operator") {
            "In" | "NotIn" if values.is_empty() => {
                errors.required(format!("{path}.values"), "must be specified when `operator` is 'In' or 'NotIn'")
            }
            "In" | "NotIn" => {}
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                errors.forbidden(format!("{path}.values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            "Exists" | "DoesNotExist" => {}
            other => errors.invalid(format!("{path}.operator"), other, "not a valid selector operator"),
        }
        let key = requirement.text("key");
        errors.invalid_each(&format!("{path}.key"), key, names::label_key(key));
        for (at, value) in values.iter().enumerate() {
            let value = value.as_str().unwrap_or_default();
            errors.invalid_each(&format!("{path}.values[{at}]"), value, names::label_value(value));
        }
    }
}

/// Whether a selector selects everything.
pub fn is_empty(selector: &Value) -> bool {
    selector.at("matchLabels").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
        && selector.items("matchExpressions").is_empty()
}
