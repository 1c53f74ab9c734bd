//! Pod: current when it is ready or has ended well.

use super::{Verdict, is};
use base::Timestamp;
use k8s::{Fields, Value};
use std::time::Duration;

/// How long a pod may wait for a node.
const UNSCHEDULED: Duration = Duration::from_secs(15);

pub(super) fn judge(object: &Value, now: Timestamp) -> Verdict {
    match object.text("status.phase") {
        "Succeeded" => Verdict::current("ended well"),
        "Failed" => {
            let why = [object.text("status.message"), object.text("status.reason")].into_iter().find(|text| !text.is_empty());
            Verdict::failed(why.map_or_else(|| "a container ended with an error".to_owned(), str::to_owned))
        }
        "Running" if is(object, "Ready", "True") => Verdict::current("ready"),
        "Running" => match looping(object) {
            Some(container) => Verdict::failed(format!("container `{container}` crashes again and again")),
            None => Verdict::progress("not ready yet"),
        },
        "Pending" => pending(object, now),
        "" => Verdict::progress("not seen by anybody yet"),
        phase => Verdict::progress(format!("its phase is `{phase}`")),
    }
}

fn pending(object: &Value, now: Timestamp) -> Verdict {
    let unschedulable = object
        .condition("PodScheduled")
        .filter(|condition| condition.text("status") == "False" && condition.text("reason") == "Unschedulable");
    let Some(condition) = unschedulable else { return Verdict::progress("not running yet") };
    let message = format!("no node takes it: {}", condition.text("message"));
    let waits = object.time("metadata.creationTimestamp").is_none_or(|born| now.since(born) >= UNSCHEDULED);
    if waits { Verdict::failed(message) } else { Verdict::progress(message) }
}

fn looping(object: &Value) -> Option<&str> {
    let statuses = object.items("status.containerStatuses").iter();
    statuses.filter(|status| status.text("state.waiting.reason") == "CrashLoopBackOff").map(|status| status.text("name")).next()
}
