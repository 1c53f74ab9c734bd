//! Endpoints, EndpointSlices, NetworkPolicies; addresses and their ranges.

use super::{Errors, meta, names, selector};
use crate::object::Fields;
use crate::{Cause, Value};
use std::net::IpAddr;

/// Checks an IP address.
pub fn address(text: &str, path: &str, errors: &mut Errors) {
    if text.parse::<IpAddr>().is_err() {
        errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

/// The address and the length of a range, and whether it says no more bits than its length.
fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Whether one range is a smaller part of another.
fn is_within(inner: (IpAddr, u8), outer: (IpAddr, u8)) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(outer.1)).unwrap_or(0);
    inner.0.is_ipv4() == outer.0.is_ipv4() && inner.1 > outer.1 && bits(inner.0) & mask == bits(outer.0) & mask
}

/// An IngressClass. Source: kubernetes `pkg/apis/networking/validation`.
pub fn ingress_class(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let controller = object.text("spec.controller");
    if controller.len() > 250 {
        errors.too_long("spec.controller", 250);
    }
    match controller.split_once('/') {
        _ if controller.is_empty() => errors.required("spec.controller", ""),
        Some((domain, path)) if !path.is_empty() => errors.invalid_each("spec.controller", controller, names::subdomain(domain)),
        _ => errors.invalid("spec.controller", controller, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if let Some(parameters) = object.at("spec.parameters") {
        ingress_parameters(parameters, &mut errors);
    }
    if let Some(old) = old {
        errors.immutable("spec.controller", object.at("spec.controller"), old.at("spec.controller"));
    }
    errors.finish()
}

fn ingress_parameters(parameters: &Value, errors: &mut Errors) {
    let path = "spec.parameters";
    let (scope, namespace) = (parameters.text("scope"), parameters.text("namespace"));
    errors.one_of(format!("{path}.scope"), scope, &["Cluster", "Namespace"]);
    for name in ["kind", "name"] {
        if parameters.text(name).is_empty() {
            errors.required(format!("{path}.{name}"), &format!("{name} is required"));
        }
        errors.invalid_each(&format!("{path}.{name}"), parameters.text(name), names::path_segment(parameters.text(name)));
    }
    match (scope, namespace) {
        ("Namespace", "") => errors.required(format!("{path}.namespace"), "`parameters.scope` is set to 'Namespace'"),
        ("Cluster", named) if !named.is_empty() => {
            errors.forbidden(format!("{path}.namespace"), "`parameters.scope` is set to 'Cluster'");
        }
        _ => {}
    }
}

/// Endpoints.
pub fn endpoints(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    for (at, subset) in object.items("subsets").iter().enumerate() {
        let path = format!("subsets[{at}]");
        if subset.items("addresses").is_empty() && subset.items("notReadyAddresses").is_empty() {
            errors.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (at, item) in subset.items(list).iter().enumerate() {
                endpoint_address(item.text("ip"), &format!("{path}.{list}[{at}].ip"), &mut errors);
            }
        }
        for (at, port) in subset.items("ports").iter().enumerate() {
            let path = format!("{path}.ports[{at}]");
            if port.text("name").is_empty() && subset.items("ports").len() > 1 {
                errors.required(format!("{path}.name"), "");
            }
            errors.in_range(format!("{path}.port"), port.int("port").unwrap_or(0), 1, 65_535);
            errors.one_of(format!("{path}.protocol"), port.text("protocol"), &["SCTP", "TCP", "UDP"]);
        }
    }
    errors.finish()
}

/// Addresses that would let a Service reach into the host are refused.
fn endpoint_address(text: &str, path: &str, errors: &mut Errors) {
    address(text, path, errors);
    let Ok(found) = text.parse::<IpAddr>() else { return };
    let local = match found {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    };
    for (wrong, told) in [
        (found.is_unspecified(), format!("may not be unspecified ({text})")),
        (found.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
    ] {
        if wrong {
            errors.invalid(path, text, &told);
        }
    }
}

/// An EndpointSlice.
pub fn endpoint_slice(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    match object.text("addressType") {
        "" => errors.required("addressType", ""),
        kind => errors.one_of("addressType", kind, &["FQDN", "IPv4", "IPv6"]),
    }
    if let Some(old) = old {
        errors.immutable("addressType", object.at("addressType"), old.at("addressType"));
    }
    let (endpoints, ports) = (object.items("endpoints"), object.items("ports"));
    for (list, found, most) in [("endpoints", endpoints.len(), 1_000), ("ports", ports.len(), 20_000)] {
        if found > most {
            errors.too_many(list, found, most);
        }
    }
    for (at, endpoint) in endpoints.iter().enumerate().take(1_000) {
        slice_endpoint(endpoint, object.text("addressType"), &format!("endpoints[{at}]"), &mut errors);
    }
    let mut seen = Vec::new();
    for (at, port) in ports.iter().enumerate().take(1_000) {
        let name = port.text("name");
        if seen.contains(&name) {
            errors.duplicate(format!("ports[{at}].name"), name);
        }
        seen.push(name);
        errors.one_of(format!("ports[{at}].protocol"), port.text("protocol"), &["SCTP", "TCP", "UDP"]);
    }
    errors.finish()
}

fn slice_endpoint(endpoint: &Value, kind: &str, path: &str, errors: &mut Errors) {
    let path = format!("{path}.addresses");
    let addresses = endpoint.items("addresses");
    if addresses.is_empty() {
        errors.required(&path, "must contain at least 1 address");
    }
    if addresses.len() > 100 {
        errors.too_many(&path, addresses.len(), 100);
    }
    for (at, address) in addresses.iter().enumerate().take(100) {
        let (text, path) = (address.as_str().unwrap_or_default(), format!("{path}[{at}]"));
        let found = text.parse::<IpAddr>();
        match (kind, found) {
            ("FQDN", _) => errors.invalid_each(&path, text, names::subdomain(text)),
            ("IPv4", Ok(found)) if found.is_ipv6() => errors.invalid(path, text, "must be an IPv4 address"),
            ("IPv6", Ok(found)) if found.is_ipv4() => errors.invalid(path, text, "must be an IPv6 address"),
            _ => endpoint_address(text, &path, errors),
        }
    }
}

/// A NetworkPolicy.
pub fn network_policy(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    if let Some(found) = object.at("spec.podSelector") {
        selector::check(found, "spec.podSelector", &mut errors);
    }
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for (at, rule) in object.items(&format!("spec.{list}")).iter().enumerate() {
            let path = format!("spec.{list}[{at}]");
            for (at, port) in rule.items("ports").iter().enumerate() {
                policy_port(port, &format!("{path}.ports[{at}]"), &mut errors);
            }
            for (at, peer) in rule.items(peers).iter().enumerate() {
                policy_peer(peer, &format!("{path}.{peers}[{at}]"), &mut errors);
            }
        }
    }
    let types = object.items("spec.policyTypes");
    if types.len() > 2 {
        errors.invalid(
            "spec.policyTypes",
            object.at("spec.policyTypes").cloned().unwrap_or_default(),
            "may not specify more than two policyTypes",
        );
    }
    for (at, kind) in types.iter().enumerate().take(2) {
        errors.one_of(format!("spec.policyTypes[{at}]"), kind.as_str().unwrap_or_default(), &["Egress", "Ingress"]);
    }
    errors.finish()
}

fn policy_port(port: &Value, path: &str, errors: &mut Errors) {
    errors.one_of(format!("{path}.protocol"), port.text("protocol"), &["TCP", "UDP", "SCTP"]);
    let end = port.int("endPort");
    match port.at("port") {
        Some(Value::String(name)) => {
            errors.invalid_each(&format!("{path}.port"), name, names::port(name));
            if let Some(end) = end {
                errors.invalid(format!("{path}.endPort"), end, "may not be specified when `port` is non-numeric");
            }
        }
        Some(number) => {
            let number = number.as_i64().unwrap_or(0);
            errors.in_range(format!("{path}.port"), number, 1, 65_535);
            if let Some(end) = end {
                if end < number {
                    errors.invalid(format!("{path}.endPort"), number, "must be greater than or equal to `port`");
                }
                errors.in_range(format!("{path}.endPort"), end, 1, 65_535);
            }
        }
        None => {
            if let Some(end) = end {
                errors.invalid(format!("{path}.endPort"), end, "may not be specified when `port` is not specified");
            }
        }
    }
}

fn policy_peer(peer: &Value, path: &str, errors: &mut Errors) {
    let mut selected = false;
    for name in ["podSelector", "namespaceSelector"] {
        if let Some(found) = peer.at(name) {
            selected = true;
            selector::check(found, &format!("{path}.{name}"), errors);
        }
    }
    match peer.at("ipBlock") {
        Some(_) if selected => errors.forbidden(path, "may not specify both ipBlock and another peer"),
        Some(block) => ip_block(block, &format!("{path}.ipBlock"), errors),
        None if !selected => errors.required(path, "must specify a peer"),
        None => {}
    }
}

fn ip_block(block: &Value, path: &str, errors: &mut Errors) {
    const WHAT: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let text = block.text("cidr");
    if text.is_empty() {
        return errors.required(format!("{path}.cidr"), "");
    }
    let Some(outer) = range(text) else { return errors.invalid(format!("{path}.cidr"), text, WHAT) };
    for (at, except) in block.items("except").iter().enumerate() {
        let (text, path) = (except.as_str().unwrap_or_default(), format!("{path}.except[{at}]"));
        match range(text) {
            None => errors.invalid(path, text, WHAT),
            Some(inner) if !is_within(inner, outer) => errors.invalid(path, text, "must be a strict subset of `cidr`"),
            Some(_) => {}
        }
    }
}
