//! PersistentVolumeClaim. A class that waits for the first consumer binds no claim before a pod uses it.

use super::Verdict;
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    match object.text("status.phase") {
        "Bound" => Verdict::current("bound"),
        "Lost" => Verdict::progress(format!("its volume `{}` is lost", object.text("spec.volumeName"))),
        _ => Verdict::progress("not bound yet"),
    }
}
