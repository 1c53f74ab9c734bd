//! Endpoints, EndpointSlices, NetworkPolicies, IngressClasses.

use super::{each, fill, fill_pointer};
use crate::Value;
use crate::object::Fields;
use serde_json::json;

/// Endpoints.
pub fn endpoints(object: &mut Value) {
    for subset in each(object, "subsets") {
        each(subset, "ports").for_each(|port| fill(port, "protocol", "TCP"));
    }
}

/// An EndpointSlice.
pub fn endpoint_slice(object: &mut Value) {
    for port in each(object, "ports") {
        if port.at("name").is_none() {
            port.set("name", "");
        }
        fill_pointer(port, "protocol", "TCP");
    }
}

/// An IngressClass: its parameters stand in no namespace.
pub fn ingress_class(object: &mut Value) {
    if object.at("spec.parameters").is_some() {
        fill_pointer(object, "spec.parameters.scope", "Cluster");
    }
}

/// A NetworkPolicy: what it says nothing of follows from its rules.
pub fn network_policy(object: &mut Value) {
    for (rules, _) in [("spec.ingress", "from"), ("spec.egress", "to")] {
        for rule in each(object, rules) {
            each(rule, "ports").for_each(|port| fill_pointer(port, "protocol", "TCP"));
        }
    }
    if object.items("spec.policyTypes").is_empty() {
        let egress = !object.items("spec.egress").is_empty();
        object.set("spec.policyTypes", if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) });
    }
}
