//! From a [`Topology`] to the kernel's chains and map elements, and from two of these to what must change. Pure.
//!
//! Chains are named by what is in them and never change: a change makes a new chain, turns the map elements that lead
//! to the old one, and removes it, all in one step of the kernel's.

use crate::nft::expression::Side;
use crate::ranges;
use crate::topology::{Allowance, Allowances, HostPort, Protocol, ServicePort, ServiceRule, Topology};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// An address and a port where connections go.
pub type Endpoint = (Ipv4Addr, u16);

/// The rules of one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// New connections go to any of these, each as likely as the others.
    Balance(Vec<Endpoint>),
    /// As `Balance`, but a client comes back to its endpoint for so many seconds. Each endpoint has a set of its clients.
    Sticky(u32, Vec<(Endpoint, String)>),
    /// New connections to an address of this machine go here; those to other addresses are left alone.
    Here(Endpoint),
    /// Lets pass what one of these means, seen from a pod; everything else is dropped.
    Allow(Direction, Vec<Pass>),
}

/// Which way a policy looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Into a pod.
    Ingress,
    /// Out of a pod.
    Egress,
}

/// One rule of a policy as ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// First and last address; `None` is everybody.
    pub peers: Option<Vec<(u32, u32)>>,
    /// Protocol, and first and last port; `None` is everything.
    pub ports: Option<(Protocol, Vec<(u32, u32)>)>,
}

/// One element of a map or set of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// In the map of services: address, protocol, port.
    Service(Ipv4Addr, Protocol, u16),
    /// In the map of node ports.
    NodePort(Protocol, u16),
    /// A service's address without endpoints.
    Refused(Ipv4Addr, Protocol, u16),
    /// A node port without endpoints.
    RefusedNodePort(Protocol, u16),
    /// An endpoint that may come to itself by its service.
    Itself(Ipv4Addr),
    /// A pod that is isolated.
    Isolated(Direction, Ipv4Addr),
}

/// One change of the kernel's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetOp {
    /// Makes the set of an endpoint's clients, each kept for so many seconds.
    AddClients(String, u32),
    /// Makes a chain.
    AddChain(String, Chain),
    /// Removes an element.
    DeleteElement(Key),
    /// Adds an element, leading to a chain where its map has verdicts.
    AddElement(Key, Option<String>),
    /// Removes a chain.
    DeleteChain(String),
    /// Removes a set of clients.
    DeleteClients(String),
    /// Ends the tracked UDP flows to an endpoint that is gone, so that their clients find another one.
    ForgetFlows(Endpoint),
}

/// All chains, sets and elements that a topology asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    chains: BTreeMap<String, Chain>,
    clients: BTreeMap<String, u32>,
    elements: BTreeMap<Key, Option<String>>,
    flows: BTreeSet<Endpoint>,
}

/// What must be done so that the rules made from `seen` become those of `want`. Applied as one batch.
pub fn plan(want: &Topology, seen: &Topology) -> Vec<NetOp> {
    difference(&Rules::of(want), &Rules::of(seen))
}

pub(crate) fn difference(want: &Rules, seen: &Rules) -> Vec<NetOp> {
    let mut ops = Vec::new();
    let new = |name: &&String, old: &BTreeMap<String, Chain>| !old.contains_key(*name);
    let clients = |name: &&String, old: &BTreeMap<String, u32>| !old.contains_key(*name);
    ops.extend(
        want.clients
            .iter()
            .filter(|(name, _)| clients(name, &seen.clients))
            .map(|(name, seconds)| NetOp::AddClients(name.clone(), *seconds)),
    );
    ops.extend(
        want.chains.iter().filter(|(name, _)| new(name, &seen.chains)).map(|(name, chain)| NetOp::AddChain(name.clone(), chain.clone())),
    );
    let changed = |(key, chain): &(&Key, &Option<String>), other: &Rules| other.elements.get(key) != Some(chain);
    ops.extend(seen.elements.iter().filter(|element| changed(element, want)).map(|(key, _)| NetOp::DeleteElement(*key)));
    ops.extend(want.elements.iter().filter(|element| changed(element, seen)).map(|(key, chain)| NetOp::AddElement(*key, chain.clone())));
    ops.extend(seen.chains.keys().filter(|name| new(name, &want.chains)).cloned().map(NetOp::DeleteChain));
    ops.extend(seen.clients.keys().filter(|name| clients(name, &want.clients)).cloned().map(NetOp::DeleteClients));
    ops.extend(seen.flows.difference(&want.flows).copied().map(NetOp::ForgetFlows));
    ops
}

impl Rules {
    pub(crate) fn of(topology: &Topology) -> Self {
        let mut rules = Self::default();
        for service in topology.services.values() {
            service.ports.iter().for_each(|port| rules.port(service, port));
        }
        topology.host_ports.iter().for_each(|port| rules.host_port(port));
        for (address, policy) in &topology.policies {
            for (direction, allowances) in [(Direction::Ingress, &policy.ingress), (Direction::Egress, &policy.egress)] {
                if let Some(allowances) = allowances {
                    let chain = rules.chain("p", Chain::Allow(direction, passes(allowances)));
                    rules.elements.insert(Key::Isolated(direction, *address), Some(chain));
                }
            }
        }
        rules
    }

    fn port(&mut self, service: &ServiceRule, port: &ServicePort) {
        let addresses = std::iter::once(service.address).chain(service.external.iter().copied());
        if port.endpoints.is_empty() {
            self.elements.extend(addresses.map(|address| (Key::Refused(address, port.protocol, port.port), None)));
            self.elements.extend(port.node_port.map(|node_port| (Key::RefusedNodePort(port.protocol, node_port), None)));
            return;
        }
        let endpoints: Vec<Endpoint> = port.endpoints.iter().copied().collect();
        self.elements.extend(endpoints.iter().map(|(address, _)| (Key::Itself(*address), None)));
        if port.protocol == Protocol::Udp {
            self.flows.extend(endpoints.iter().copied());
        }
        let chain = match service.affinity_seconds {
            None => self.chain("s", Chain::Balance(endpoints)),
            Some(seconds) => {
                let chain = self.sticky(service, port, seconds, endpoints);
                self.chain("s", chain)
            }
        };
        self.elements.extend(addresses.map(|address| (Key::Service(address, port.protocol, port.port), Some(chain.clone()))));
        self.elements.extend(port.node_port.map(|node_port| (Key::NodePort(port.protocol, node_port), Some(chain.clone()))));
    }

    // After the services: what one of them has is not taken from it.
    fn host_port(&mut self, port: &HostPort) {
        let key = match port.address {
            Some(address) => Key::Service(address, port.protocol, port.port),
            None => Key::NodePort(port.protocol, port.port),
        };
        let refused = match port.address {
            Some(address) => Key::Refused(address, port.protocol, port.port),
            None => Key::RefusedNodePort(port.protocol, port.port),
        };
        if self.elements.contains_key(&key) || self.elements.contains_key(&refused) {
            return;
        }
        // Any address may be asked for; only one that is the machine's own may be had.
        let chain = self.chain("h", Chain::Here(port.to));
        self.elements.insert(key, Some(chain));
        self.elements.insert(Key::Itself(port.to.0), None);
        if port.protocol == Protocol::Udp {
            self.flows.insert(port.to);
        }
    }

    // The name holds the service's port and the time, so that clients keep their endpoint while others come and go.
    fn sticky(&mut self, service: &ServiceRule, port: &ServicePort, seconds: u32, endpoints: Vec<Endpoint>) -> Chain {
        let name = |endpoint: &Endpoint| digest("c", &format!("{} {:?} {} {seconds} {endpoint:?}", service.name, port.protocol, port.port));
        let named: Vec<(Endpoint, String)> = endpoints.into_iter().map(|endpoint| (endpoint, name(&endpoint))).collect();
        self.clients.extend(named.iter().map(|(_, name)| (name.clone(), seconds)));
        Chain::Sticky(seconds, named)
    }

    fn chain(&mut self, prefix: &str, chain: Chain) -> String {
        let name = digest(prefix, &format!("{chain:?}"));
        self.chains.entry(name.clone()).or_insert(chain);
        name
    }
}

fn passes(allowances: &Allowances) -> Vec<Pass> {
    allowances.rules.iter().flat_map(pass).filter(|pass| pass.peers.as_ref().is_none_or(|peers| !peers.is_empty())).collect()
}

fn pass(allowance: &Allowance) -> Vec<Pass> {
    let peers = allowance.peers.as_deref().map(ranges::of_peers);
    if allowance.ports.is_empty() {
        return vec![Pass { peers, ports: None }];
    }
    let of = |protocol: Protocol| -> Option<Pass> {
        let ports =
            allowance.ports.iter().filter(|(found, ..)| *found == protocol).map(|(_, first, last)| (u32::from(*first), u32::from(*last)));
        let ports = ranges::joined(ports.collect());
        (!ports.is_empty()).then(|| Pass { peers: peers.clone(), ports: Some((protocol, ports)) })
    };
    [Protocol::Tcp, Protocol::Udp].into_iter().filter_map(of).collect()
}

impl Direction {
    /// On which side of a packet the peers of a policy are.
    pub(crate) const fn peer_side(self) -> Side {
        match self {
            Self::Ingress => Side::From,
            Self::Egress => Side::To,
        }
    }
}

// Chains are shared by equal content, and users choose that content: only a strong hash may name them.
fn digest(prefix: &str, content: &str) -> String {
    let mut name = format!("{prefix}-");
    for byte in Sha256::digest(content.as_bytes()).iter().take(12) {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
#[path = "rules/tests.rs"]
mod tests;
