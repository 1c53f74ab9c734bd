//! The expressions that rules are made of, appended one after the other.

use crate::netlink::Message;
use std::net::Ipv4Addr;

/// A rule's expressions, encoded.
#[derive(Clone, Debug)]
pub(crate) struct Expressions(Message);

/// First 16-byte register.
const FIRST: u32 = 1;
/// Verdict register.
const VERDICT: u32 = 0;

/// The 4-byte register at this place, counted from the start of [`FIRST`].
const fn word(at: u32) -> u32 {
    8 + at
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// Equal.
    Is,
    /// Not equal.
    IsNot,
}

/// Which set a lookup means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SetRef<'a> {
    /// A set by name.
    Named(&'a str),
    /// A set without a name, made in the same batch.
    Anonymous(u32),
}

/// Which side of a packet an address is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Source.
    From,
    /// Destination.
    To,
}

const META_OUT_NAME: u32 = 7;
const META_IN_NAME: u32 = 6;
const META_PROTOCOL: u32 = 16;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

impl Expressions {
    /// An empty rule.
    pub fn new() -> Self {
        Self(Message::new(0, 0, &[]))
    }

    /// The list's bytes.
    pub fn encoded(self) -> Vec<u8> {
        self.0.into_attributes()
    }

    fn push(mut self, name: &str, fill: impl FnOnce(&mut Message)) -> Self {
        self.0.nested(1, |expression| {
            expression.text(1, name).nested(2, fill);
        });
        self
    }

    fn meta(self, key: u32, register: u32) -> Self {
        self.push("meta", |meta| {
            meta.number(1, register).number(2, key);
        })
    }

    fn payload(self, base: u32, offset: u32, length: u32, register: u32) -> Self {
        self.push("payload", |payload| {
            payload.number(1, register).number(2, base).number(3, offset).number(4, length);
        })
    }

    fn compare(self, how: Compare, value: &[u8]) -> Self {
        self.push("cmp", |compare| {
            compare.number(1, FIRST).number(2, u32::from(how == Compare::IsNot)).nested(3, |data| {
                data.bytes(1, value);
            });
        })
    }

    fn masked(self, mask: u32) -> Self {
        self.push("bitwise", |bits| {
            bits.number(1, FIRST).number(2, FIRST).number(3, 4);
            bits.nested(4, |data| {
                data.bytes(1, &mask.to_ne_bytes());
            });
            bits.nested(5, |data| {
                data.bytes(1, &[0; 4]);
            });
        })
    }

    fn load(self, register: u32, value: &[u8]) -> Self {
        self.push("immediate", |immediate| {
            immediate.number(1, register).nested(2, |data| {
                data.bytes(1, value);
            });
        })
    }

    /// The packet came in by a link whose name begins so.
    pub fn in_begins(self, how: Compare, prefix: &str) -> Self {
        self.meta(META_IN_NAME, FIRST).compare(how, prefix.as_bytes())
    }

    /// The packet came in by the link of this name.
    pub fn in_is(self, how: Compare, name: &str) -> Self {
        self.meta(META_IN_NAME, FIRST).compare(how, &link_name(name))
    }

    /// The packet goes out by a link whose name begins so.
    pub fn out_begins(self, how: Compare, prefix: &str) -> Self {
        self.meta(META_OUT_NAME, FIRST).compare(how, prefix.as_bytes())
    }

    /// The packet goes out by the link of this name.
    pub fn out_is(self, how: Compare, name: &str) -> Self {
        self.meta(META_OUT_NAME, FIRST).compare(how, &link_name(name))
    }

    /// The address is in a block.
    pub fn in_block(self, side: Side, how: Compare, (address, length): (Ipv4Addr, u8)) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
        let value = (u32::from(address) & mask).to_be_bytes();
        // The register holds the bytes as they came; the mask is given in the same order.
        self.payload(NETWORK, offset_of(side), 4, FIRST).masked(u32::from_ne_bytes(mask.to_be_bytes())).compare(how, &value)
    }

    /// The packet's protocol.
    pub fn protocol(self, number: u8) -> Self {
        self.meta(META_PROTOCOL, FIRST).compare(Compare::Is, &[number])
    }

    /// The destination port.
    pub fn port_is(self, port: u16) -> Self {
        self.payload(TRANSPORT, 2, 2, FIRST).compare(Compare::Is, &port.to_be_bytes())
    }

    /// The destination is one of the machine's own addresses, or is not.
    pub fn destined_here(self, how: Compare) -> Self {
        const ADDRESS_TYPE: u32 = 3;
        const OF_DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        self.push("fib", |fib| {
            fib.number(1, FIRST).number(2, ADDRESS_TYPE).number(3, OF_DESTINATION);
        })
        .compare(how, &LOCAL.to_ne_bytes())
    }

    /// The connection is in one of these states (bits: 1 invalid, 2 established, 4 related).
    pub fn state(self, bits: u32) -> Self {
        self.push("ct", |track| {
            track.number(1, FIRST).number(2, 0);
        })
        .masked(bits)
        .compare(Compare::IsNot, &[0; 4])
    }

    fn lookup(self, set: SetRef<'_>, target: Option<u32>) -> Self {
        self.push("lookup", |lookup| {
            match set {
                SetRef::Named(name) => lookup.text(1, name),
                SetRef::Anonymous(id) => lookup.text(1, if target.is_some() { "__map%d" } else { "__set%d" }).number(4, id),
            };
            lookup.number(2, FIRST);
            if let Some(register) = target {
                lookup.number(3, register);
            }
        })
    }

    /// Goes where a map of destination address, protocol and port says.
    pub fn service_verdict(self, map: &str) -> Self {
        self.service_key().lookup(SetRef::Named(map), Some(VERDICT))
    }

    /// Destination address, protocol and port are in a set.
    pub fn service_in(self, set: &str) -> Self {
        self.service_key().lookup(SetRef::Named(set), None)
    }

    fn service_key(self) -> Self {
        self.payload(NETWORK, offset_of(Side::To), 4, FIRST).meta(META_PROTOCOL, word(1)).payload(TRANSPORT, 2, 2, word(2))
    }

    /// Goes where a map of protocol and port says.
    pub fn port_verdict(self, map: &str) -> Self {
        self.port_key().lookup(SetRef::Named(map), Some(VERDICT))
    }

    /// Protocol and destination port are in a set.
    pub fn port_in(self, set: &str) -> Self {
        self.port_key().lookup(SetRef::Named(set), None)
    }

    fn port_key(self) -> Self {
        self.meta(META_PROTOCOL, FIRST).payload(TRANSPORT, 2, 2, word(1))
    }

    /// Goes where a map of an address says.
    pub fn address_verdict(self, side: Side, map: &str) -> Self {
        self.payload(NETWORK, offset_of(side), 4, FIRST).lookup(SetRef::Named(map), Some(VERDICT))
    }

    /// The address is in a set.
    pub fn address_in(self, side: Side, set: SetRef<'_>) -> Self {
        self.payload(NETWORK, offset_of(side), 4, FIRST).lookup(set, None)
    }

    /// Source and destination address are in a set.
    pub fn pair_in(self, set: &str) -> Self {
        self.payload(NETWORK, offset_of(Side::From), 8, FIRST).lookup(SetRef::Named(set), None)
    }

    /// The destination port is in a set.
    pub fn port_among(self, set: SetRef<'_>) -> Self {
        self.payload(TRANSPORT, 2, 2, FIRST).lookup(set, None)
    }

    /// True once in `modulus` times, by chance.
    pub fn by_chance(self, modulus: u32) -> Self {
        self.random(modulus).compare(Compare::Is, &[0; 4])
    }

    fn random(self, modulus: u32) -> Self {
        self.push("numgen", |number| {
            number.number(1, FIRST).number(2, modulus).number(3, 1);
        })
    }

    /// Rewrites the destination to one of `count` endpoints of a map, each as likely as the others.
    pub fn lead_to_any(self, count: u32, map: u32) -> Self {
        self.random(count).lookup(SetRef::Anonymous(map), Some(FIRST)).translate(1)
    }

    /// Rewrites the destination.
    pub fn lead_to(self, address: Ipv4Addr, port: u16) -> Self {
        self.load(FIRST, &address.octets()).load(word(1), &port.to_be_bytes()).translate(1)
    }

    fn translate(self, kind: u32) -> Self {
        self.push("nat", |nat| {
            nat.number(1, kind).number(2, u32::from(super::IPV4)).number(3, FIRST).number(5, word(1)).number(7, 3);
        })
    }

    /// Rewrites the source.
    pub fn source_becomes(self, address: Ipv4Addr) -> Self {
        self.load(FIRST, &address.octets()).push("nat", |nat| {
            nat.number(1, 0).number(2, u32::from(super::IPV4)).number(3, FIRST);
        })
    }

    /// Rewrites the source to an address of the outgoing link.
    pub fn masquerade(self) -> Self {
        self.push("masq", |_| {})
    }

    /// Remembers the source address in a set, from now for the set's time.
    pub fn remember_source(self, set: &str, milliseconds: u64) -> Self {
        self.payload(NETWORK, offset_of(Side::From), 4, FIRST).push("dynset", |dynamic| {
            dynamic.text(1, set).number(3, 1).number(4, FIRST).long(6, milliseconds);
        })
    }

    /// Ends with a TCP reset.
    pub fn reset(self) -> Self {
        self.push("reject", |reject| {
            reject.number(1, 1).bytes(2, &[0]);
        })
    }

    /// Ends with ICMP port unreachable.
    pub fn unreachable(self) -> Self {
        self.push("reject", |reject| {
            reject.number(1, 0).bytes(2, &[3]);
        })
    }

    fn verdict(self, code: i32, chain: Option<&str>) -> Self {
        self.push("immediate", |immediate| {
            immediate.number(1, VERDICT).nested(2, |data| {
                data.nested(2, |verdict| {
                    verdict.number(1, code.cast_unsigned());
                    if let Some(chain) = chain {
                        verdict.text(2, chain);
                    }
                });
            });
        })
    }

    /// Ends: dropped.
    pub fn drop(self) -> Self {
        self.verdict(0, None)
    }

    /// Ends: passes this base chain.
    pub fn accept(self) -> Self {
        self.verdict(1, None)
    }

    /// Goes back to the calling chain.
    pub fn back(self) -> Self {
        self.verdict(-5, None)
    }

    /// Goes on in another chain, and comes back.
    pub fn jump(self, chain: &str) -> Self {
        self.verdict(super::JUMP, Some(chain))
    }
}

const fn offset_of(side: Side) -> u32 {
    match side {
        Side::From => 12,
        Side::To => 16,
    }
}

fn link_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(name.bytes().take(15)).for_each(|(to, from)| *to = from);
    bytes
}
