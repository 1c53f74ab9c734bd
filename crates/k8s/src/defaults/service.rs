//! Services.

use super::{each, fill, fill_pointer, inside};
use crate::Value;
use crate::object::Fields;

/// A Service.
pub fn service(object: &mut Value) {
    let Some(spec) = inside(object, "spec") else { return };
    fill(spec, "sessionAffinity", "None");
    if spec.text("sessionAffinity") == "None" {
        spec.unset("sessionAffinityConfig");
    } else if spec.text("sessionAffinity") == "ClientIP" {
        fill_pointer(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", 10_800);
    }
    fill(spec, "type", "ClusterIP");
    for port in each(spec, "ports") {
        fill(port, "protocol", "TCP");
        let number = port.int("port").unwrap_or(0);
        if port.at("targetPort").is_none_or(|target| target.as_i64() == Some(0) || target.as_str() == Some("")) {
            port.set("targetPort", number);
        }
    }
    let kind = spec.text("type").to_owned();
    let outside = matches!(kind.as_str(), "NodePort" | "LoadBalancer") || kind == "ClusterIP" && !spec.items("externalIPs").is_empty();
    if outside {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        fill_pointer(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
        for ingress in each(object, "status.loadBalancer.ingress") {
            if !ingress.text("ip").is_empty() {
                fill(ingress, "ipMode", "VIP");
            }
        }
    }
}
