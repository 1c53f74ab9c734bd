//! Pod: current when it is ready or has ended well.

use super::{Verdict, is};
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    match object.text("status.phase") {
        "Succeeded" => Verdict::current("ended well"),
        "Failed" => {
            let why = [object.text("status.message"), object.text("status.reason")].into_iter().find(|text| !text.is_empty());
            Verdict::failed(why.unwrap_or("a container ended with an error"))
        }
        "Running" if is(object, "Ready", "True") => Verdict::current("ready"),
        "Running" => Verdict::progress("not ready yet"),
        _ => Verdict::progress("not running yet"),
    }
}
