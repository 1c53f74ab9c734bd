//! From Kubernetes objects to a [`Topology`]. Pure.

mod host_ports;
mod names;
mod policies;
mod services;

use crate::topology::Topology;
use k8s::{Fields, Value};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The domain of the cluster's names.
pub const DOMAIN: &str = "cluster.local";

/// The objects that the network is made from, of all namespaces.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// `v1` Service.
    pub services: Vec<Arc<Value>>,
    /// `discovery.k8s.io/v1` EndpointSlice.
    pub endpoint_slices: Vec<Arc<Value>>,
    /// `v1` Pod.
    pub pods: Vec<Arc<Value>>,
    /// `v1` Namespace.
    pub namespaces: Vec<Arc<Value>>,
    /// `networking.k8s.io/v1` NetworkPolicy.
    pub network_policies: Vec<Arc<Value>>,
    /// Addresses by `namespace/name` of pods whose status does not tell them yet: with these applied before a pod's first
    /// process starts, it is isolated from its first instant.
    pub attached: BTreeMap<String, Ipv4Addr>,
}

/// What services, policies and names the objects ask for. What is IPv6 or SCTP is left out.
pub fn topology_of(objects: &Objects) -> Topology {
    let slices = services::by_service(&objects.endpoint_slices);
    let pods: Vec<Pod<'_>> = objects.pods.iter().filter_map(|pod| Pod::of(pod, &objects.attached)).collect();
    Topology {
        services: objects.services.iter().filter_map(|service| services::rule(service, &slices)).collect(),
        host_ports: host_ports::of(&pods),
        policies: policies::of(objects, &pods),
        names: names::of(objects, &slices, &pods),
    }
}

/// A pod with an address of its own.
struct Pod<'a> {
    object: &'a Value,
    address: Ipv4Addr,
}

impl<'a> Pod<'a> {
    /// `None` for a pod of the machine's own network, one without an address, and one that has ended and given it back.
    fn of(object: &'a Value, attached: &BTreeMap<String, Ipv4Addr>) -> Option<Self> {
        if object.flag("spec.hostNetwork") || matches!(object.text("status.phase"), "Succeeded" | "Failed") {
            return None;
        }
        let told = || {
            object
                .items("status.podIPs")
                .iter()
                .map(|entry| entry.text("ip"))
                .chain([object.text("status.podIP")])
                .find_map(|text| text.parse().ok())
        };
        let address = told().or_else(|| attached.get(&key(object)).copied())?;
        Some(Self { object, address })
    }
}

fn key(object: &Value) -> String {
    format!("{}/{}", object.namespace(), object.name())
}

#[cfg(test)]
mod tests;
