//! Services.

use super::{Errors, meta, names, network};
use crate::object::Fields;
use crate::{Cause, Value};

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// A Service.
pub fn service(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::label, &mut errors);
    let kind = object.text("spec.type");
    let headless = object.text("spec.clusterIP") == "None";
    if object.items("spec.ports").is_empty() && !headless && kind != "ExternalName" {
        errors.required("spec.ports", "");
    }
    errors.one_of("spec.type", kind, &TYPES);
    addresses(object, kind, headless, &mut errors);
    ports(object, kind, &mut errors);
    meta::labels(object.at("spec.selector"), "spec.selector", &mut errors);
    affinity(object, &mut errors);
    policies(object, kind, &mut errors);
    if let Some(old) = old {
        update(object, old, &mut errors);
    }
    errors.finish()
}

fn addresses(object: &Value, kind: &str, headless: bool, errors: &mut Errors) {
    if headless && matches!(kind, "LoadBalancer" | "NodePort") {
        errors.invalid("spec.clusterIPs[0]", "None", &format!("may not be set to 'None' for {kind} services"));
    }
    if kind == "ExternalName" {
        if !object.text("spec.clusterIP").is_empty() || !object.items("spec.clusterIPs").is_empty() {
            errors.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
        }
        match object.text("spec.externalName").trim_end_matches('.') {
            "" => errors.required("spec.externalName", ""),
            name => errors.invalid_each("spec.externalName", name, names::subdomain(name)),
        }
    } else {
        let address = object.text("spec.clusterIP");
        if !address.is_empty() && !headless {
            network::address(address, "spec.clusterIPs[0]", errors);
        }
        if let Some(first) = object.items("spec.clusterIPs").first().and_then(Value::as_str).filter(|first| *first != address) {
            errors.invalid("spec.clusterIPs", serde_json::json!([first]), "first value must match `clusterIP`");
        }
    }
    for (at, address) in object.items("spec.externalIPs").iter().enumerate() {
        network::address(address.as_str().unwrap_or_default(), &format!("spec.externalIPs[{at}]"), errors);
    }
}

fn ports(object: &Value, kind: &str, errors: &mut Errors) {
    let ports = object.items("spec.ports");
    let (mut named, mut numbered, mut of_node) = (Vec::new(), Vec::new(), Vec::new());
    for (at, port) in ports.iter().enumerate() {
        let path = format!("spec.ports[{at}]");
        let (name, protocol) = (port.text("name"), port.text("protocol"));
        if name.is_empty() && ports.len() > 1 {
            errors.required(format!("{path}.name"), "");
        } else if !name.is_empty() {
            errors.invalid_each(&format!("{path}.name"), name, names::label(name));
            if named.contains(&name) {
                errors.duplicate(format!("{path}.name"), name);
            }
            named.push(name);
        }
        let number = port.int("port").unwrap_or(0);
        errors.in_range(format!("{path}.port"), number, 1, 65_535);
        errors.one_of(format!("{path}.protocol"), protocol, &["SCTP", "TCP", "UDP"]);
        match port.at("targetPort") {
            Some(Value::String(target)) => errors.invalid_each(&format!("{path}.targetPort"), target, names::port(target)),
            target => errors.in_range(format!("{path}.targetPort"), target.and_then(Value::as_i64).unwrap_or(0), 1, 65_535),
        }
        let key = (protocol, number);
        if numbered.contains(&key) {
            errors.duplicate(&path, serde_json::json!({"port": number, "protocol": protocol}));
        }
        numbered.push(key);
        node_port(port, kind, &path, &mut of_node, errors);
    }
}

fn node_port(port: &Value, kind: &str, path: &str, seen: &mut Vec<(String, i64)>, errors: &mut Errors) {
    let Some(number) = port.int("nodePort").filter(|&number| number != 0) else { return };
    let path = format!("{path}.nodePort");
    if kind == "ClusterIP" {
        errors.forbidden(&path, "may not be used when `type` is 'ClusterIP'");
    }
    let key = (port.text("protocol").to_owned(), number);
    if seen.contains(&key) {
        errors.duplicate(path, number);
    }
    seen.push(key);
}

fn affinity(object: &Value, errors: &mut Errors) {
    let found = object.text("spec.sessionAffinity");
    errors.one_of("spec.sessionAffinity", found, &["ClientIP", "None"]);
    if found == "ClientIP" {
        let seconds = object.int("spec.sessionAffinityConfig.clientIP.timeoutSeconds").unwrap_or(0);
        if !(1..=86_400).contains(&seconds) {
            let told = "must be greater than 0 and less than 86400";
            errors.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, told);
        }
    }
}

fn policies(object: &Value, kind: &str, errors: &mut Errors) {
    let outside = object.text("spec.externalTrafficPolicy");
    if !outside.is_empty() {
        let reached = matches!(kind, "NodePort" | "LoadBalancer") || kind == "ClusterIP" && !object.items("spec.externalIPs").is_empty();
        if reached {
            errors.one_of("spec.externalTrafficPolicy", outside, &["Cluster", "Local"]);
        } else {
            errors.invalid("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services");
        }
    }
    let inside = object.text("spec.internalTrafficPolicy");
    if !inside.is_empty() {
        errors.one_of("spec.internalTrafficPolicy", inside, &["Cluster", "Local"]);
    }
    if kind != "LoadBalancer" && object.at("spec.allocateLoadBalancerNodePorts").is_some() {
        errors.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
    }
}

fn update(new: &Value, old: &Value, errors: &mut Errors) {
    if old.text("spec.type") == "ExternalName" || new.text("spec.type") == "ExternalName" {
        return;
    }
    let before = old.text("spec.clusterIP");
    if !before.is_empty() && new.text("spec.clusterIP") != before {
        let found = new.at("spec.clusterIPs").cloned().unwrap_or_else(|| serde_json::json!([new.text("spec.clusterIP")]));
        errors.invalid("spec.clusterIPs[0]", found, "may not change once set");
    }
}
