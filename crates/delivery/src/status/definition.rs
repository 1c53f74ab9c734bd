//! CustomResourceDefinition: current when its kind can be used.

use super::Verdict;
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    for condition in object.items("status.conditions") {
        match (condition.text("type"), condition.text("status")) {
            ("NamesAccepted", "False") => return Verdict::failed(condition.text("message")),
            ("Established", "False") if condition.text("reason") != "Installing" => return Verdict::failed(condition.text("message")),
            ("Established", "True") => return Verdict::current("established"),
            _ => {}
        }
    }
    Verdict::progress("its kind cannot be used yet")
}
