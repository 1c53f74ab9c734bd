//! Service: a load balancer's is current when it has its address.

use super::Verdict;
use k8s::{Fields, Value};

pub(super) fn judge(object: &Value) -> Verdict {
    if object.text("spec.type") == "LoadBalancer" && object.items("status.loadBalancer.ingress").is_empty() {
        return Verdict::progress("no address yet");
    }
    Verdict::current("set up")
}
