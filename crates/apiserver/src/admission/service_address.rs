//! Cluster addresses and node ports of services. Services take turns, so what is free is what no service has.
//!
//! Source: kubernetes `pkg/registry/core/service/storage/alloc.go`.

use super::{Admission, Operation, Review};
use k8s::kinds::SERVICE;
use k8s::{ApiError, Cause, Fields, Value};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "ServiceAddress", review };

/// The service network: 10.43.0.0/16.
const NETWORK: u32 = u32::from_be_bytes([10, 43, 0, 0]);
const SIZE: u32 = 1 << 16;
/// Ports that all nodes open.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if review.call.target.kind != SERVICE || !review.call.target.subresource.is_empty() {
        return Ok(());
    }
    let name = (review.object.namespace().to_owned(), review.object.name().to_owned());
    let mut others = review.core().objects.list(SERVICE, "");
    others.retain(|other| (other.namespace(), other.name()) != (name.0.as_str(), name.1.as_str()));
    if review.operation == Operation::Update {
        carry_over(review);
        let_go(review);
    }
    let kind = review.object.text("spec.type").to_owned();
    if kind == "ExternalName" {
        for member in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            review.object.unset(&format!("spec.{member}"));
        }
        return node_ports(review.object, &kind, &[]).map_err(|cause| ApiError::invalid(SERVICE, &name.1, vec![cause]));
    }
    let taken: BTreeSet<String> = others.iter().map(|other| other.text("spec.clusterIP").to_owned()).collect();
    address(review.object, &taken).map_err(|cause| ApiError::invalid(SERVICE, &name.1, vec![cause]))?;
    node_ports(review.object, &kind, &others).map_err(|cause| ApiError::invalid(SERVICE, &name.1, vec![cause]))
}

/// An update that leaves out what was allocated keeps it.
fn carry_over(review: &mut Review<'_>) {
    let Some(old) = review.old else { return };
    let same = review.object.text("spec.type") == old.text("spec.type") || review.object.text("spec.type") != "ExternalName";
    if same && review.object.text("spec.clusterIP").is_empty() && old.text("spec.type") != "ExternalName" {
        for member in ["clusterIP", "clusterIPs"] {
            if let Some(value) = old.at("spec").and_then(|spec| spec.member(member)) {
                review.object.set(&format!("spec.{member}"), value.clone());
            }
        }
    }
    let mut ports = review.object.items("spec.ports").to_vec();
    for port in ports.iter_mut().filter(|port| port.int("nodePort").is_none_or(|port| port == 0)) {
        let same = |other: &&Value| (other.int("port"), other.text("protocol")) == (port.int("port"), port.text("protocol"));
        let kept = old.items("spec.ports").iter().find(same).and_then(|other| other.int("nodePort"));
        if let Some(kept) = kept {
            port.set("nodePort", kept);
        }
    }
    review.object.set("spec.ports", ports);
}

/// What was left over from the old type and means nothing with the new one. Source: kubernetes
/// `pkg/registry/core/service/strategy.go`, dropTypeDependentFields.
fn let_go(review: &mut Review<'_>) {
    let Some(old) = review.old else { return };
    let is = |service: &Value, types: &[&str]| types.contains(&service.text("spec.type"));
    let reached = |service: &Value| is(service, &["NodePort", "LoadBalancer"]) || !service.items("spec.externalIPs").is_empty();
    let fields: [(&str, bool); 4] = [
        ("externalTrafficPolicy", reached(old) && !reached(review.object)),
        ("healthCheckNodePort", is(old, &["LoadBalancer"]) && !is(review.object, &["LoadBalancer"])),
        ("allocateLoadBalancerNodePorts", !is(review.object, &["LoadBalancer"])),
        ("loadBalancerClass", is(old, &["LoadBalancer"]) && !is(review.object, &["LoadBalancer"])),
    ];
    for (name, needless) in fields {
        let path = format!("spec.{name}");
        if needless && review.object.at(&path) == old.at(&path) {
            review.object.unset(&path);
        }
    }
}

fn address(service: &mut Value, taken: &BTreeSet<String>) -> Result<(), Cause> {
    let wanted = match service.text("spec.clusterIP") {
        "" => service.items("spec.clusterIPs").first().and_then(Value::as_str).unwrap_or_default().to_owned(),
        given => given.to_owned(),
    };
    let invalid = |why: String| Cause { reason: "FieldValueInvalid", field: "spec.clusterIPs".to_owned(), message: why };
    let given = match wanted.as_str() {
        "None" => "None".to_owned(),
        "" => free(taken).ok_or_else(|| invalid("no free address is left in 10.43.0.0/16".to_owned()))?,
        text => {
            let address: Option<Ipv4Addr> = text.parse().ok();
            let inside = address.is_some_and(|address| (1..SIZE - 1).contains(&u32::from(address).wrapping_sub(NETWORK)));
            if !inside {
                return Err(invalid(format!(
                    "Invalid value: [{text:?}]: failed to allocate IP {text}: the provided IP ({text}) is not in the valid range. The range of valid IPs is 10.43.0.0/16"
                )));
            }
            if taken.contains(text) {
                return Err(invalid(format!("Invalid value: [{text:?}]: failed to allocate IP {text}: provided IP is already allocated")));
            }
            text.to_owned()
        }
    };
    service.set("spec.clusterIP", given.as_str());
    service.set("spec.clusterIPs", json!([given]));
    service.set("spec.ipFamilies", json!(["IPv4"]));
    service.set("spec.ipFamilyPolicy", "SingleStack");
    Ok(())
}

/// Addresses are given by chance from the upper part; the lower 256 are for who asks for one by name (KEP-3070).
fn free(taken: &BTreeSet<String>) -> Option<String> {
    let begin = u32::from(u16::from_le_bytes(base::ids::random()));
    let upper = (0..SIZE - 257).map(|step| 256 + (begin + step) % (SIZE - 257));
    let mut all = upper.chain(11..256).map(|offset| Ipv4Addr::from(NETWORK + offset).to_string());
    all.find(|address| !taken.contains(address))
}

fn node_ports(service: &mut Value, kind: &str, others: &[std::sync::Arc<Value>]) -> Result<(), Cause> {
    let mut ports = service.items("spec.ports").to_vec();
    let wants = kind == "NodePort" || kind == "LoadBalancer" && service.at("spec.allocateLoadBalancerNodePorts") != Some(&json!(false));
    let allowed = matches!(kind, "NodePort" | "LoadBalancer");
    let pair = |port: &Value| (port.int("nodePort").unwrap_or(0), port.text("protocol").to_owned());
    let mut taken: BTreeSet<(i64, String)> =
        others.iter().flat_map(|other| other.items("spec.ports")).map(pair).filter(|(port, _)| *port != 0).collect();
    for (at, port) in ports.iter_mut().enumerate() {
        let field = format!("spec.ports[{at}].nodePort");
        if !allowed {
            port.unset("nodePort");
            continue;
        }
        let given = pair(port);
        if given.0 != 0 {
            if !NODE_PORTS.contains(&given.0) {
                let message =
                    format!("Invalid value: {}: provided port is not in the valid range. The range of valid ports is 30000-32767", given.0);
                return Err(Cause { reason: "FieldValueInvalid", field, message });
            }
            if !taken.insert(given.clone()) {
                return Err(Cause {
                    reason: "FieldValueInvalid",
                    field,
                    message: format!("Invalid value: {}: provided port is already allocated", given.0),
                });
            }
        } else if wants {
            let begin = i64::from(u16::from_le_bytes(base::ids::random()));
            let (first, count) = (*NODE_PORTS.start(), NODE_PORTS.end() - NODE_PORTS.start() + 1);
            let mut all = (0..count).map(|step| first + (begin + step) % count);
            let none =
                || Cause { reason: "FieldValueInvalid", field: field.clone(), message: "no free port is left in 30000-32767".to_owned() };
            // A port is free for a service only when no other has it for any protocol.
            let found = all.find(|port| !taken.iter().any(|(other, _)| other == port)).ok_or_else(none)?;
            taken.insert((found, given.1));
            port.set("nodePort", found);
        }
    }
    if !ports.is_empty() {
        service.set("spec.ports", ports);
    }
    Ok(())
}
