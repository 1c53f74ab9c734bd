//! Service: a load balancer's is current when it has its address inside the cluster (kstatus, `serviceConditions`); the one
//! outside comes when it comes, and in many a cluster never.

use super::Verdict;
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    if object.text("spec.type") != "LoadBalancer" {
        return Verdict::current("set up");
    }
    if object.text("spec.clusterIP").is_empty() {
        return Verdict::progress("no address inside the cluster yet");
    }
    match crate::smoke::balancer_address(object) {
        Some(address) => Verdict::current(format!("answers at {address}")),
        None => Verdict::current("set up; no load balancer gave it an address"),
    }
}
