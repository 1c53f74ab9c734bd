//! NetworkPolicy, as `networking.k8s.io/v1` says: what selects a pod isolates it, what isolates it adds up.

use super::services::{number, protocol};
use super::{Objects, Pod};
use crate::topology::{Allowance, Allowances, Peer, PodPolicy, Protocol};
use k8s::labels::Selector;
use k8s::{Fields, Value};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

type Ports = Vec<(Protocol, u16, u16)>;

/// The policies of all pods that are isolated.
pub(super) fn of(objects: &Objects, pods: &[Pod<'_>]) -> BTreeMap<Ipv4Addr, PodPolicy> {
    let mut policies = BTreeMap::<Ipv4Addr, PodPolicy>::new();
    for policy in &objects.network_policies {
        // A selector that is not written selects everything, as an empty one does.
        let selector = Selector::from_object(policy.at("spec.podSelector")).unwrap_or_default();
        let view = View { objects, pods, namespace: policy.namespace() };
        for pod in pods.iter().filter(|pod| pod.object.namespace() == policy.namespace() && selector.matches(pod.object)) {
            let isolated = policies.entry(pod.address).or_default();
            if looks_at(policy, "Ingress") {
                let rules = policy.items("spec.ingress").iter().flat_map(|rule| view.ingress(rule, pod));
                isolated.ingress.get_or_insert_with(Allowances::default).rules.extend(rules);
            }
            if looks_at(policy, "Egress") {
                let rules = policy.items("spec.egress").iter().flat_map(|rule| view.egress(rule));
                isolated.egress.get_or_insert_with(Allowances::default).rules.extend(rules);
            }
        }
    }
    policies.retain(|_, policy| policy.ingress.is_some() || policy.egress.is_some());
    policies
}

/// Whether a policy is about a direction; without `policyTypes` it is about what comes in, and about what goes out if it has rules for it.
fn looks_at(policy: &Value, direction: &str) -> bool {
    let types = policy.items("spec.policyTypes");
    if types.is_empty() {
        return direction == "Ingress" || !policy.items("spec.egress").is_empty();
    }
    types.iter().any(|found| found.as_str() == Some(direction))
}

/// Where a policy looks from.
struct View<'a> {
    objects: &'a Objects,
    pods: &'a [Pod<'a>],
    namespace: &'a str,
}

impl View<'_> {
    fn ingress(&self, rule: &Value, pod: &Pod<'_>) -> Option<Allowance> {
        // A name of a port is one of the pod that is protected.
        let ports: Ports = rule.items("ports").iter().filter_map(|port| port_range(port, Some(pod.object))).collect();
        let unlimited = rule.items("ports").is_empty();
        (unlimited || !ports.is_empty()).then(|| Allowance { peers: self.peers(rule.items("from")), ports })
    }

    fn egress(&self, rule: &Value) -> Vec<Allowance> {
        let peers = rule.items("to");
        let ports = rule.items("ports");
        if ports.is_empty() {
            return vec![Allowance { peers: self.peers(peers), ports: Ports::new() }];
        }
        let numbers: Ports = ports.iter().filter_map(|port| port_range(port, None)).collect();
        let mut allowances = Vec::new();
        if !numbers.is_empty() {
            allowances.push(Allowance { peers: self.peers(peers), ports: numbers });
        }
        // A name of a port is one of each pod that is called: another number for each, perhaps.
        let named: Vec<&Value> = ports.iter().filter(|port| !port.text("port").is_empty()).collect();
        if !named.is_empty() {
            allowances.extend(self.pods.iter().filter(|pod| self.is_meant(peers, pod)).filter_map(|pod| {
                let ports: Ports = named.iter().filter_map(|port| port_range(port, Some(pod.object))).collect();
                (!ports.is_empty()).then(|| Allowance { peers: Some(vec![just(pod.address)]), ports })
            }));
        }
        allowances
    }

    /// The addresses that peers mean; no peers at all is everybody.
    fn peers(&self, peers: &[Value]) -> Option<Vec<Peer>> {
        if peers.is_empty() {
            return None;
        }
        let blocks = peers.iter().filter_map(|peer| peer.at("ipBlock")).filter_map(block);
        let pods = self.pods.iter().filter(|pod| peers.iter().any(|peer| self.selects(peer, pod))).map(|pod| just(pod.address));
        Some(blocks.chain(pods).collect())
    }

    fn is_meant(&self, peers: &[Value], pod: &Pod<'_>) -> bool {
        peers.is_empty() || peers.iter().any(|peer| self.selects(peer, pod))
    }

    fn selects(&self, peer: &Value, pod: &Pod<'_>) -> bool {
        let pods = Selector::from_object(peer.at("podSelector"));
        let namespaces = Selector::from_object(peer.at("namespaceSelector"));
        if peer.at("ipBlock").is_some() || (pods.is_none() && namespaces.is_none()) {
            return false;
        }
        let in_namespace = match namespaces {
            None => pod.object.namespace() == self.namespace,
            Some(selector) => {
                self.objects.namespaces.iter().any(|namespace| namespace.name() == pod.object.namespace() && selector.matches(namespace))
            }
        };
        in_namespace && pods.is_none_or(|selector| selector.matches(pod.object))
    }
}

/// The ports that an entry means: a number, a range, a name among the container ports of `pod`, or all of its protocol.
fn port_range(entry: &Value, pod: Option<&Value>) -> Option<(Protocol, u16, u16)> {
    let protocol = protocol(entry)?;
    if entry.at("port").is_none() {
        return Some((protocol, 0, u16::MAX));
    }
    if let Some(first) = number(entry, "port") {
        return Some((protocol, first, number(entry, "endPort").unwrap_or(first)));
    }
    let found = container_port(pod?, entry.text("port"), protocol)?;
    Some((protocol, found, found))
}

fn container_port(pod: &Value, name: &str, wanted: Protocol) -> Option<u16> {
    let ports = pod.items("spec.containers").iter().chain(pod.items("spec.initContainers")).flat_map(|container| container.items("ports"));
    ports.filter(|port| port.text("name") == name && protocol(port) == Some(wanted)).find_map(|port| number(port, "containerPort"))
}

fn just(address: Ipv4Addr) -> Peer {
    Peer { block: (address, 32), except: Vec::new() }
}

fn block(block: &Value) -> Option<Peer> {
    let except = block.items("except").iter().filter_map(|text| prefix(text.as_str()?)).collect();
    Some(Peer { block: prefix(block.text("cidr"))?, except })
}

fn prefix(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok().filter(|length| *length <= 32)?))
}
