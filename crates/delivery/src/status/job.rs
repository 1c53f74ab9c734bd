//! Job: current when it has ended well.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    if is(object, "Failed", "True") {
        let condition = object.condition("Failed");
        let part = |name| condition.map_or("", |condition| condition.text(name));
        return Verdict::failed(format!("{}: {}", part("reason"), part("message")));
    }
    let wanted = object.int("spec.completions").unwrap_or(1);
    let done = count(object, "status.succeeded");
    if is(object, "Complete", "True") {
        return Verdict::current(format!("{done} of {wanted} ended well"));
    }
    if object.flag("spec.suspend") {
        return Verdict::current("suspended");
    }
    Verdict::progress(format!("{done} of {wanted} ended well, {} running", count(object, "status.active")))
}
