//! `hostPort` of containers: ports of the machine that lead to one pod.

use super::Pod;
use super::services::{number, protocol};
use crate::topology::HostPort;
use k8s::{Fields, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The ports of all pods. What two pods ask for goes to one of them: the scheduler places no such two, but a pod may name its node itself.
pub(super) fn of(pods: &[Pod<'_>]) -> BTreeSet<HostPort> {
    let mut taken = BTreeMap::new();
    for port in pods.iter().flat_map(of_pod) {
        taken.entry((port.protocol, port.address, port.port)).or_insert(port);
    }
    taken.into_values().collect()
}

fn of_pod<'a>(pod: &'a Pod<'_>) -> impl Iterator<Item = HostPort> + 'a {
    // Of the init containers only those run along that restart always.
    let sidecars = pod.object.items("spec.initContainers").iter().filter(|container| container.text("restartPolicy") == "Always");
    let containers = pod.object.items("spec.containers").iter().chain(sidecars);
    containers.flat_map(|container| container.items("ports")).filter_map(|port| of_port(port, pod.address))
}

fn of_port(port: &Value, pod: Ipv4Addr) -> Option<HostPort> {
    let address = match port.text("hostIP") {
        "" | "0.0.0.0" => None,
        // One of IPv6 is none that this network has.
        own => Some(own.parse().ok()?),
    };
    Some(HostPort { protocol: protocol(port)?, address, port: number(port, "hostPort")?, to: (pod, number(port, "containerPort")?) })
}
