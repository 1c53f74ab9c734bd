//! What the pod network is asked to be, and the trait by which others ask.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// A pod's place in the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodLink {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its network namespace, as a file.
    pub netns: PathBuf,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// At the cluster address.
    pub port: u16,
    /// At the node's addresses and 127.0.0.1.
    pub node_port: Option<u16>,
    /// Where connections go, each as likely as the others.
    pub endpoints: BTreeSet<(Ipv4Addr, u16)>,
}

/// A service with a cluster address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRule {
    /// `namespace/name`.
    pub name: String,
    /// Cluster address.
    pub address: Ipv4Addr,
    /// Further addresses that it answers on (`externalIPs`, load balancer addresses).
    pub external: BTreeSet<Ipv4Addr>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Seconds for which a client stays with its endpoint (`sessionAffinity: ClientIP`).
    pub affinity_seconds: Option<u32>,
}

/// What an isolated pod lets through in one direction; nothing else passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowances {
    /// Each allows peers on ports.
    pub rules: Vec<Allowance>,
}

/// Peers and ports; an empty set of ports is every port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Who; `None` is everybody.
    pub peers: Option<Vec<Peer>>,
    /// Protocol, first and last port.
    pub ports: Vec<(Protocol, u16, u16)>,
}

/// Addresses with exceptions, in prefix form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Peer {
    /// Network address and prefix length.
    pub block: (Ipv4Addr, u8),
    /// Parts of it that are not meant.
    pub except: Vec<(Ipv4Addr, u8)>,
}

/// The policy of one pod address; `None` in a direction is not isolated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodPolicy {
    /// Into the pod.
    pub ingress: Option<Allowances>,
    /// Out of the pod.
    pub egress: Option<Allowances>,
}

/// A port of the machine's that leads to one pod (`hostPort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The one address of the machine that it is open at; `None` is all of them.
    pub address: Option<Ipv4Addr>,
    /// At the machine.
    pub port: u16,
    /// Address of the pod, and the port there.
    pub to: (Ipv4Addr, u16),
}

/// Everything that the kernel's rules and the name service are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Services by `namespace/name`.
    pub services: BTreeMap<String, ServiceRule>,
    /// Ports of the machine that lead to pods. A service's node port goes before.
    #[serde(default)]
    pub host_ports: BTreeSet<HostPort>,
    /// Policies by pod address; only isolated pods are here.
    pub policies: BTreeMap<Ipv4Addr, PodPolicy>,
    /// Names in the cluster's domain.
    pub names: Names,
}

/// What the name service answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Full name (lower case, without the last dot) to addresses.
    pub addresses: BTreeMap<String, Vec<Ipv4Addr>>,
    /// Full name to another name (`ExternalName`).
    pub aliases: BTreeMap<String, String>,
    /// Service records: full name to (port, target).
    pub ports: BTreeMap<String, Vec<(u16, String)>>,
    /// Address to full names.
    #[serde(default)]
    pub reverse: BTreeMap<Ipv4Addr, Vec<String>>,
}

/// Why the network could not do something.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {reason}")]
pub struct NetworkError {
    /// What was being done, to what.
    pub doing: String,
    /// What the system said.
    pub reason: String,
}

/// The pod network of this machine.
#[async_trait]
pub trait PodNetwork: Send + Sync {
    /// Makes a pod's namespace and link; the same pod keeps its address for as long as it is attached, also over restarts of this process.
    async fn attach(&self, pod: &str) -> Result<PodLink, NetworkError>;
    /// Removes a pod's link and namespace; gone already is success.
    async fn detach(&self, pod: &str) -> Result<(), NetworkError>;
    /// Takes an address out of every service, and returns when the kernel has acknowledged that no new connection goes there.
    /// It stays out until the pod is detached, whatever [`PodNetwork::apply`] is told meanwhile.
    async fn withdraw(&self, address: Ipv4Addr) -> Result<(), NetworkError>;
    /// Makes services, policies and names be as given, in one step; returns when the kernel has acknowledged.
    async fn apply(&self, topology: Topology) -> Result<(), NetworkError>;
    /// The pods that are attached: what a new process finds.
    async fn attached(&self) -> Result<BTreeMap<String, PodLink>, NetworkError>;
    /// Removes everything that was made on the host, and puts kernel settings back.
    async fn teardown(&self) -> Result<(), NetworkError>;
}
