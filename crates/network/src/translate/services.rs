//! Services with cluster addresses, and which endpoints they lead to.

use super::key;
use crate::topology::{Protocol, ServicePort, ServiceRule};
use k8s::{Fields, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The slices of each service, by `namespace/name`.
pub(super) type Slices<'a> = BTreeMap<String, Vec<&'a Value>>;

/// Seconds that `ClientIP` means where nothing else is said (Service v1 core, `sessionAffinityConfig`).
const AFFINITY_SECONDS: u32 = 10_800;

/// Sorts IPv4 slices by the service that they are of.
pub(super) fn by_service(slices: &[Arc<Value>]) -> Slices<'_> {
    let mut sorted = Slices::new();
    for slice in slices.iter().filter(|slice| slice.text("addressType") == "IPv4") {
        if let Some(service) = slice.label("kubernetes.io/service-name") {
            sorted.entry(format!("{}/{service}", slice.namespace())).or_default().push(slice);
        }
    }
    sorted
}

/// The rule of a service; `None` for one without a cluster address.
pub(super) fn rule(service: &Value, slices: &Slices<'_>) -> Option<(String, ServiceRule)> {
    let address = cluster_address(service)?;
    let name = key(service);
    let slices = slices.get(&name).map_or(&[][..], Vec::as_slice);
    let balancers = service.items("status.loadBalancer.ingress").iter().map(|entry| entry.text("ip"));
    let externals = service.items("spec.externalIPs").iter().filter_map(Value::as_str);
    let rule = ServiceRule {
        name: name.clone(),
        address,
        external: externals.chain(balancers).filter_map(|text| text.parse().ok()).collect(),
        ports: service.items("spec.ports").iter().filter_map(|port| service_port(port, slices)).collect(),
        affinity_seconds: affinity(service),
    };
    Some((name, rule))
}

/// The cluster address of a service that has one and is no alias.
pub(super) fn cluster_address(service: &Value) -> Option<Ipv4Addr> {
    if service.text("spec.type") == "ExternalName" { None } else { service.text("spec.clusterIP").parse().ok() }
}

/// TCP or UDP; nothing else is served.
pub(super) fn protocol(port: &Value) -> Option<Protocol> {
    match port.text("protocol") {
        "" | "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        _ => None,
    }
}

/// A port number at a path.
pub(super) fn number(object: &Value, path: &str) -> Option<u16> {
    object.int(path).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
}

fn affinity(service: &Value) -> Option<u32> {
    let seconds = service.int("spec.sessionAffinityConfig.clientIP.timeoutSeconds").and_then(|seconds| u32::try_from(seconds).ok());
    (service.text("spec.sessionAffinity") == "ClientIP").then(|| seconds.filter(|seconds| *seconds > 0).unwrap_or(AFFINITY_SECONDS))
}

fn service_port(port: &Value, slices: &[&Value]) -> Option<ServicePort> {
    let protocol = protocol(port)?;
    // Those that are ready; where there are none, those that end but still serve (KEP-1669).
    let ready = endpoints(port, protocol, slices, |conditions| conditions.ready);
    let endpoints =
        if ready.is_empty() { endpoints(port, protocol, slices, |conditions| conditions.serving && conditions.terminating) } else { ready };
    Some(ServicePort { protocol, port: number(port, "port")?, node_port: number(port, "nodePort"), endpoints })
}

fn endpoints(port: &Value, wanted: Protocol, slices: &[&Value], usable: impl Fn(Conditions) -> bool) -> BTreeSet<(Ipv4Addr, u16)> {
    let mut found = BTreeSet::new();
    for slice in slices {
        let same = |entry: &&Value| entry.text("name") == port.text("name") && protocol(entry) == Some(wanted);
        let Some(target) = slice.items("ports").iter().find(same).and_then(|entry| number(entry, "port")) else { continue };
        let usable = slice.items("endpoints").iter().filter(|endpoint| usable(Conditions::of(endpoint)));
        found.extend(usable.flat_map(addresses).map(|address| (address, target)));
    }
    found
}

/// The IPv4 addresses of an endpoint.
pub(super) fn addresses(endpoint: &Value) -> impl Iterator<Item = Ipv4Addr> {
    endpoint.items("addresses").iter().filter_map(|address| address.as_str()?.parse().ok())
}

/// `conditions` of an endpoint, with what a missing one means (EndpointSlice v1, `EndpointConditions`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    pub ready: bool,
    pub serving: bool,
    pub terminating: bool,
}

impl Conditions {
    pub(super) fn of(endpoint: &Value) -> Self {
        let condition = |name: &str| endpoint.at("conditions").and_then(|conditions| conditions.member(name)).and_then(Value::as_bool);
        let ready = condition("ready").unwrap_or(true);
        Self { ready, serving: condition("serving").unwrap_or(ready), terminating: condition("terminating").unwrap_or(false) }
    }
}
