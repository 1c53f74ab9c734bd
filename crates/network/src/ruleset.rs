//! The fixed frame of our rules, and how a plan becomes messages in it.

use crate::config::Config;
use crate::netlink::Socket;
use crate::nft::expression::{Compare, Expressions, SetRef, Side};
use crate::nft::{self, Batch, Data, GOTO, Hook, JUMP, Set, flags};
use crate::rules::{Chain, Direction, Endpoint, Key, NetOp, Pass};
use crate::topology::Protocol;
use std::net::Ipv4Addr;

/// Raised whenever the frame below changes: a process that finds another number replaces everything.
pub(crate) const VERSION: u32 = 1;
/// The set that holds a mark of what is in effect, changed in the same step as the rules.
pub(crate) const MARK: &str = "mark";

/// A set that is there where forwarding was off before the first of us came: the last to leave puts it back.
const FORWARDING_WAS_OFF: &str = "forwarding-was-off";

const SERVICES: &str = "services";
const NODE_PORTS: &str = "node-ports";
const REFUSED: &str = "refused";
const REFUSED_NODE_PORTS: &str = "refused-node-ports";
const ITSELF: &str = "itself";
const INGRESS: &str = "ingress";
const EGRESS: &str = "egress";
const REFUSE: &str = "refuse";
const BALANCE: &str = "balance";

const HOOKS: &[(&str, Hook)] = &[
    ("guard", Hook { kind: "filter", number: 0, priority: -300 }),
    ("arrive", Hook { kind: "nat", number: 0, priority: -100 }),
    ("depart", Hook { kind: "nat", number: 3, priority: -100 }),
    ("leave", Hook { kind: "nat", number: 4, priority: 100 }),
    ("forward", Hook { kind: "filter", number: 2, priority: 0 }),
    ("input", Hook { kind: "filter", number: 1, priority: 0 }),
    ("output", Hook { kind: "filter", number: 3, priority: 0 }),
];

const ESTABLISHED: u32 = 2 | 4;
const INVALID: u32 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Puts the whole table into a batch, in the place of whatever is there.
pub(crate) fn replace_all(batch: &mut Batch<'_>, config: &Config) {
    batch.add_table();
    batch.delete_table();
    batch.add_table();
    frame_sets(batch);
    batch.add_chain(BALANCE, None);
    batch.add_chain(REFUSE, None);
    for (name, hook) in HOOKS {
        batch.add_chain(name, Some(*hook));
    }
    for (chain, rule) in frame(config) {
        batch.add_rule(chain, rule);
    }
}

/// Leaves word that forwarding was off; said twice is said once.
pub(crate) fn note_forwarding(batch: &mut Batch<'_>) {
    batch.add_set(&Set { name: FORWARDING_WAS_OFF, flags: 0, key: nft::ADDRESS, value: None, timeout_ms: 0 });
}

/// Whether another network of ours on this machine relies on forwarding, and knows that it was off.
///
/// # Errors
/// What the kernel said.
pub(crate) fn others_forward(socket: &mut Socket, config: &Config) -> std::io::Result<bool> {
    Ok(nft::tables_with(socket, FORWARDING_WAS_OFF)?.iter().any(|table| *table != config.table))
}

fn frame_sets(batch: &mut Batch<'_>) {
    let set = |name, key, flags| Set { name, flags, key, value: None, timeout_ms: 0 };
    for (name, key, flags) in [
        (SERVICES, nft::ADDRESS_PROTOCOL_PORT, flags::MAP),
        (NODE_PORTS, nft::PROTOCOL_PORT, flags::MAP),
        (INGRESS, nft::ADDRESS, flags::MAP),
        (EGRESS, nft::ADDRESS, flags::MAP),
        (REFUSED, nft::ADDRESS_PROTOCOL_PORT, 0),
        (REFUSED_NODE_PORTS, nft::PROTOCOL_PORT, 0),
        (ITSELF, nft::ADDRESS_PAIR, 0),
        (MARK, nft::Type(nft::INTEGER.0, 16), 0),
    ] {
        batch.add_set(&set(name, key, flags));
    }
}

fn frame(config: &Config) -> Vec<(&'static str, Expressions)> {
    let mut rules = translation(config);
    rules.extend(guard(config));
    rules.extend(filters(config));
    rules
}

/// CVE-2020-8558: our links accept 127/8 for the sake of node ports, so nothing from a pod may use it. And nobody
/// beyond this machine may come to cluster addresses by a route of their own.
fn guard(config: &Config) -> Vec<(&'static str, Expressions)> {
    const LOOPBACK: (Ipv4Addr, u8) = (Ipv4Addr::new(127, 0, 0, 0), 8);
    let from_pod = || Expressions::new().in_begins(Compare::Is, &config.link_prefix);
    let from_outside = || Expressions::new().in_begins(Compare::IsNot, &config.link_prefix).in_is(Compare::IsNot, "lo");
    vec![
        ("guard", from_pod().in_block(Side::To, Compare::Is, LOOPBACK).drop()),
        ("guard", from_pod().in_block(Side::From, Compare::Is, LOOPBACK).drop()),
        ("guard", from_outside().in_block(Side::To, Compare::Is, config.pods).drop()),
        ("guard", from_outside().in_block(Side::To, Compare::Is, config.services).drop()),
    ]
}

fn translation(config: &Config) -> Vec<(&'static str, Expressions)> {
    let new = Expressions::new;
    let to_pod = || new().out_begins(Compare::Is, &config.link_prefix);
    vec![
        ("arrive", new().jump(BALANCE)),
        ("depart", new().jump(BALANCE)),
        (BALANCE, new().service_verdict(SERVICES)),
        (BALANCE, new().destined_here(Compare::Is).port_verdict(NODE_PORTS)),
        // Answers must come back through here: a pod that came to itself, and a client on our loopback.
        ("leave", to_pod().pair_in(ITSELF).source_becomes(config.node)),
        ("leave", to_pod().in_block(Side::From, Compare::Is, (Ipv4Addr::LOCALHOST, 8)).source_becomes(config.node)),
        (
            "leave",
            new()
                .out_begins(Compare::IsNot, &config.link_prefix)
                .out_is(Compare::IsNot, "lo")
                .in_block(Side::From, Compare::Is, config.pods)
                .in_block(Side::To, Compare::IsNot, config.pods)
                .masquerade(),
        ),
    ]
}

fn filters(config: &Config) -> Vec<(&'static str, Expressions)> {
    let new = Expressions::new;
    let from_pod = || new().in_begins(Compare::Is, &config.link_prefix);
    let name_service = |protocol| from_pod().in_block(Side::To, Compare::Is, (config.dns, 32)).protocol(protocol).port_is(53).accept();
    vec![
        (REFUSE, new().protocol(TCP).reset()),
        (REFUSE, new().unreachable()),
        ("forward", new().state(ESTABLISHED).accept()),
        ("forward", from_pod().state(INVALID).drop()),
        ("forward", new().in_block(Side::To, Compare::Is, config.services).jump(REFUSE)),
        ("forward", new().service_in(REFUSED).jump(REFUSE)),
        ("forward", new().pair_in(ITSELF).accept()),
        ("forward", new().address_verdict(Side::From, EGRESS)),
        ("forward", new().address_verdict(Side::To, INGRESS)),
        ("input", new().state(ESTABLISHED).accept()),
        ("input", name_service(UDP)),
        ("input", name_service(TCP)),
        ("input", new().port_in(REFUSED_NODE_PORTS).jump(REFUSE)),
        ("input", new().service_in(REFUSED).jump(REFUSE)),
        ("input", from_pod().address_verdict(Side::From, EGRESS)),
        ("output", new().in_block(Side::To, Compare::Is, config.services).destined_here(Compare::IsNot).jump(REFUSE)),
        ("output", new().service_in(REFUSED).jump(REFUSE)),
    ]
}

/// Appends a plan to a batch.
pub(crate) fn encode(batch: &mut Batch<'_>, ops: &[NetOp]) {
    for op in ops {
        match op {
            NetOp::AddClients(name, seconds) => {
                let timeout_ms = u64::from(*seconds) * 1000;
                batch.add_set(&Set { name, flags: flags::TIMEOUT | flags::EVAL, key: nft::ADDRESS, value: None, timeout_ms });
            }
            NetOp::AddChain(name, chain) => add_chain(batch, name, chain),
            NetOp::DeleteElement(key) => batch.delete_elements(set_of(key), &[(key_bytes(key), Data::None)]),
            NetOp::AddElement(key, chain) => {
                let code = if matches!(key, Key::Isolated(..)) { JUMP } else { GOTO };
                let data = chain.clone().map_or(Data::None, |chain| Data::Chain(code, chain));
                batch.add_new_element(set_of(key), &(key_bytes(key), data));
            }
            NetOp::DeleteChain(name) => batch.delete_chain(name),
            NetOp::DeleteClients(name) => batch.delete_set(name),
            NetOp::ForgetFlows(_) => {}
        }
    }
}

fn add_chain(batch: &mut Batch<'_>, name: &str, chain: &Chain) {
    batch.add_chain(name, None);
    match chain {
        Chain::Balance(endpoints) => {
            let rule = balance(batch, endpoints);
            batch.add_rule(name, rule);
        }
        Chain::Here((address, port)) => batch.add_rule(name, Expressions::new().destined_here(Compare::Is).lead_to(*address, *port)),
        Chain::Sticky(seconds, endpoints) => sticky(batch, name, u64::from(*seconds) * 1000, endpoints),
        Chain::Allow(direction, passes) => {
            for pass in passes {
                let rule = allow(batch, *direction, pass);
                batch.add_rule(name, rule);
            }
            batch.add_rule(name, Expressions::new().drop());
        }
    }
}

fn balance(batch: &mut Batch<'_>, endpoints: &[Endpoint]) -> Expressions {
    if let [(address, port)] = endpoints {
        return Expressions::new().lead_to(*address, *port);
    }
    let value = |(address, port): &Endpoint| [&address.octets()[..], &port.to_be_bytes(), &[0; 2]].concat();
    let elements: Vec<_> =
        (0u32..).zip(endpoints).map(|(index, endpoint)| (index.to_ne_bytes().to_vec(), Data::Value(value(endpoint)))).collect();
    let map = batch.add_anonymous(nft::INTEGER, Some(nft::ADDRESS_PORT), false, &elements);
    Expressions::new().lead_to_any(count(endpoints.len()), map)
}

fn sticky(batch: &mut Batch<'_>, name: &str, milliseconds: u64, endpoints: &[(Endpoint, String)]) {
    let to = |rule: Expressions, (endpoint, clients): &(Endpoint, String)| {
        rule.remember_source(clients, milliseconds).lead_to(endpoint.0, endpoint.1)
    };
    for known in endpoints {
        batch.add_rule(name, to(Expressions::new().address_in(Side::From, SetRef::Named(&known.1)), known));
    }
    // One in n, then one in n - 1 of the rest, and so on: each as likely as the others.
    for (left, fresh) in (1..=endpoints.len()).rev().zip(endpoints) {
        let rule = if left == 1 { Expressions::new() } else { Expressions::new().by_chance(count(left)) };
        batch.add_rule(name, to(rule, fresh));
    }
}

fn allow(batch: &mut Batch<'_>, direction: Direction, pass: &Pass) -> Expressions {
    let mut rule = Expressions::new();
    if let Some(peers) = &pass.peers {
        let set = intervals(batch, nft::ADDRESS, peers);
        rule = rule.address_in(direction.peer_side(), SetRef::Anonymous(set));
    }
    if let Some((protocol, ports)) = &pass.ports {
        let set = intervals(batch, nft::PORT, ports);
        rule = rule.protocol(number_of(*protocol)).port_among(SetRef::Anonymous(set));
    }
    rule.back()
}

fn intervals(batch: &mut Batch<'_>, kind: nft::Type, ranges: &[(u32, u32)]) -> u32 {
    let bytes = |value: u32| if kind == nft::PORT { value.to_be_bytes()[2..].to_vec() } else { value.to_be_bytes().to_vec() };
    let last = if kind == nft::PORT { u32::from(u16::MAX) } else { u32::MAX };
    let elements: Vec<_> = ranges
        .iter()
        .flat_map(|(from, to)| {
            let end = (*to < last).then(|| (bytes(to + 1), Data::End));
            std::iter::once((bytes(*from), Data::None)).chain(end)
        })
        .collect();
    batch.add_anonymous(kind, None, true, &elements)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The number of a protocol in IP headers.
pub(crate) const fn number_of(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
    }
}

const fn set_of(key: &Key) -> &'static str {
    match key {
        Key::Service(..) => SERVICES,
        Key::NodePort(..) => NODE_PORTS,
        Key::Refused(..) => REFUSED,
        Key::RefusedNodePort(..) => REFUSED_NODE_PORTS,
        Key::Itself(_) => ITSELF,
        Key::Isolated(Direction::Ingress, _) => INGRESS,
        Key::Isolated(Direction::Egress, _) => EGRESS,
    }
}

// Each part of a key fills whole words of four bytes.
fn key_bytes(key: &Key) -> Vec<u8> {
    let port_key = |protocol: &Protocol, port: &u16| [&[number_of(*protocol), 0, 0, 0][..], &port.to_be_bytes(), &[0; 2]].concat();
    match key {
        Key::Service(address, protocol, port) | Key::Refused(address, protocol, port) => {
            [&address.octets()[..], &port_key(protocol, port)].concat()
        }
        Key::NodePort(protocol, port) | Key::RefusedNodePort(protocol, port) => port_key(protocol, port),
        Key::Itself(address) => [address.octets(), address.octets()].concat(),
        Key::Isolated(_, address) => address.octets().to_vec(),
    }
}
