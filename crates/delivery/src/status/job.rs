//! Job: current when it has ended well, not when it has begun as for kstatus.

use super::{Verdict, count, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    if is(object, "Failed", "True") {
        return Verdict::failed(why(object, "Failed"));
    }
    // A queue has no number of completions: it is done when its pods agree that it is.
    let wanted = object.int("spec.completions").or(object.int("spec.parallelism")).unwrap_or(1);
    let done = count(object, "status.succeeded");
    if is(object, "Complete", "True") {
        return Verdict::current(format!("{done} of {wanted} ended well"));
    }
    if object.flag("spec.suspend") {
        return Verdict::progress("suspended; it goes on when somebody resumes it");
    }
    if is(object, "FailureTarget", "True") {
        return Verdict::progress(format!("ends: {}", why(object, "FailureTarget")));
    }
    let failed = match count(object, "status.failed") {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    Verdict::progress(format!("{done} of {wanted} ended well, {} running{failed}", count(object, "status.active")))
}

fn why(object: &Value, condition: &str) -> String {
    let part = |name| object.condition(condition).map_or("", |condition| condition.text(name));
    format!("{}: {}", part("reason"), part("message"))
}

/// It is held back by its own manifest.
pub(super) fn is_left_to_people(object: &Value) -> bool {
    object.flag("spec.suspend") && !is(object, "Failed", "True")
}
