//! Any other kind, by the conditions that kinds agreed on.

use super::{Verdict, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    let why = |name: &str| object.condition(name).map(|condition| condition.text("message").to_owned()).unwrap_or_default();
    if is(object, "Stalled", "True") {
        return Verdict::failed(why("Stalled"));
    }
    if is(object, "Reconciling", "True") {
        return Verdict::progress(why("Reconciling"));
    }
    if is(object, "Ready", "False") {
        return Verdict::progress(why("Ready"));
    }
    Verdict::current("there")
}
