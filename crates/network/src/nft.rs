//! nf_tables spoken directly: batches of messages and the expressions of rules.
//!
//! Numbers and layouts are those of the kernel's `linux/netfilter/nf_tables.h` and `nfnetlink.h`.

pub(crate) mod expression;
mod query;

use crate::netlink::{CREATE, EXCLUSIVE, Message, Refused, Socket};
use std::io;

pub(crate) use expression::Expressions;
pub(crate) use query::{commented_rules, has_chain, keys, probe, tables_with};

/// Family `ip`.
pub(crate) const IPV4: u8 = 2;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const DELETE_CHAIN: u16 = 5;
const NEW_RULE: u16 = 6;
const DELETE_RULE: u16 = 8;
const NEW_SET: u16 = 9;
const DELETE_SET: u16 = 11;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;
const APPEND: u16 = 0x800;

/// Elements in one message: nested attributes end at 64 KiB.
const CHUNK: usize = 400;

/// Where a base chain is hooked: type, hook number, priority.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    /// `filter` or `nat`.
    pub kind: &'static str,
    /// 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting.
    pub number: u32,
    /// Lower is earlier.
    pub priority: i32,
}

/// The type number of a set's key or value: only for people who list the rules, and the length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Type(pub u32, pub u32);

/// A number in the machine's order.
pub(crate) const INTEGER: Type = Type(4, 4);
/// An IPv4 address.
pub(crate) const ADDRESS: Type = Type(7, 4);
/// A port.
pub(crate) const PORT: Type = Type(13, 2);
/// Protocol and port.
pub(crate) const PROTOCOL_PORT: Type = Type(12 << 6 | 13, 8);
/// Address, protocol and port.
pub(crate) const ADDRESS_PROTOCOL_PORT: Type = Type(7 << 12 | 12 << 6 | 13, 12);
/// Two addresses.
pub(crate) const ADDRESS_PAIR: Type = Type(7 << 6 | 7, 8);
/// Address and port.
pub(crate) const ADDRESS_PORT: Type = Type(7 << 6 | 13, 8);

/// What an element carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// The key alone.
    None,
    /// `goto` or `jump` to a chain.
    Chain(i32, String),
    /// A value.
    Value(Vec<u8>),
    /// The key ends an interval.
    End,
}

/// Verdict code of `jump`.
pub(crate) const JUMP: i32 = -3;
/// Verdict code of `goto`.
pub(crate) const GOTO: i32 = -4;

/// Flags of a set.
pub(crate) mod flags {
    pub(crate) const ANONYMOUS: u32 = 0x1;
    pub(crate) const CONSTANT: u32 = 0x2;
    pub(crate) const INTERVAL: u32 = 0x4;
    pub(crate) const MAP: u32 = 0x8;
    pub(crate) const TIMEOUT: u32 = 0x10;
    pub(crate) const EVAL: u32 = 0x20;
}

/// A set to be made.
#[derive(Clone, Debug)]
pub(crate) struct Set<'a> {
    /// Its name; for an anonymous one a pattern with `%d`.
    pub name: &'a str,
    /// See [`flags`].
    pub flags: u32,
    /// Type of the keys.
    pub key: Type,
    /// Type of the values; `None` with [`flags::MAP`] is a map to verdicts.
    pub value: Option<Type>,
    /// Milliseconds after which an element goes.
    pub timeout_ms: u64,
}

/// Messages that take effect together or not at all.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    table: &'a str,
    messages: Vec<Message>,
    anonymous: u32,
}

impl<'a> Batch<'a> {
    /// Begins a batch over one table of family `ip`.
    pub fn new(table: &'a str) -> Self {
        let begin = Message::new(BATCH_BEGIN, 0, &header(0, SUBSYSTEM));
        Self { table, messages: vec![begin], anonymous: 0 }
    }

    fn push(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Message)) {
        let mut message = Message::new(SUBSYSTEM << 8 | kind, flags, &header(IPV4, 0));
        fill(&mut message);
        self.messages.push(message);
    }

    /// Makes the table where it is missing.
    pub fn add_table(&mut self) {
        let table = self.table;
        self.push(NEW_TABLE, CREATE, |message| {
            message.text(1, table).number(2, 0);
        });
    }

    /// Removes the table with all that is in it.
    pub fn delete_table(&mut self) {
        let table = self.table;
        self.push(DELETE_TABLE, 0, |message| {
            message.text(1, table);
        });
    }

    /// Makes a chain; with a hook it is a base chain that accepts in the end.
    pub fn add_chain(&mut self, name: &str, hook: Option<Hook>) {
        let table = self.table;
        self.push(NEW_CHAIN, CREATE, |message| {
            message.text(1, table).text(3, name);
            if let Some(hook) = hook {
                message.nested(4, |inner| {
                    inner.number(1, hook.number).number(2, hook.priority.cast_unsigned());
                });
                message.number(5, 1).text(7, hook.kind);
            }
        });
    }

    /// Removes the rules of a chain, then the chain.
    pub fn delete_chain(&mut self, name: &str) {
        let table = self.table;
        self.push(DELETE_RULE, 0, |message| {
            message.text(1, table).text(2, name);
        });
        self.push(DELETE_CHAIN, 0, |message| {
            message.text(1, table).text(3, name);
        });
    }

    /// Appends a rule.
    pub fn add_rule(&mut self, chain: &str, expressions: Expressions) {
        let table = self.table;
        self.push(NEW_RULE, CREATE | APPEND, |message| {
            message.text(1, table).text(2, chain).nested(4, |list| {
                list.raw(&expressions.encoded());
            });
        });
    }

    /// Puts a rule before all others of a chain, with a comment by which it is found again.
    pub fn insert_rule(&mut self, chain: &str, expressions: Expressions, comment: &str) {
        let table = self.table;
        let mut note = vec![0, u8::try_from(comment.len() + 1).unwrap_or(u8::MAX)];
        note.extend_from_slice(comment.as_bytes());
        note.push(0);
        self.push(NEW_RULE, CREATE, |message| {
            message.text(1, table).text(2, chain).nested(4, |list| {
                list.raw(&expressions.encoded());
            });
            message.bytes(7, &note);
        });
    }

    /// Removes one rule by its handle.
    pub fn delete_rule(&mut self, chain: &str, handle: u64) {
        let table = self.table;
        self.push(DELETE_RULE, 0, |message| {
            message.text(1, table).text(2, chain).long(3, handle);
        });
    }

    /// Makes a set or map.
    pub fn add_set(&mut self, set: &Set<'_>) -> u32 {
        self.anonymous += 1;
        let (table, id) = (self.table, self.anonymous);
        self.push(NEW_SET, CREATE, |message| {
            message.text(1, table).text(2, set.name).number(3, set.flags).number(4, set.key.0).number(5, set.key.1);
            if set.flags & flags::MAP != 0 {
                let (kind, length) = set.value.map_or((0xffff_ff00, 16), |value| (value.0, value.1));
                message.number(6, kind).number(7, length);
            }
            message.number(10, id);
            if set.timeout_ms > 0 {
                message.long(11, set.timeout_ms);
            }
        });
        id
    }

    /// Removes a set.
    pub fn delete_set(&mut self, name: &str) {
        let table = self.table;
        self.push(DELETE_SET, 0, |message| {
            message.text(1, table).text(2, name);
        });
    }

    /// Makes a set without a name, for the one rule that refers to it by the number given back.
    pub fn add_anonymous(&mut self, key: Type, value: Option<Type>, interval: bool, elements: &[(Vec<u8>, Data)]) -> u32 {
        let map = if value.is_some() { flags::MAP } else { 0 };
        let spread = if interval { flags::INTERVAL } else { 0 };
        let name = if value.is_some() { "__map%d" } else { "__set%d" };
        let set = Set { name, flags: flags::ANONYMOUS | flags::CONSTANT | map | spread, key, value, timeout_ms: 0 };
        let id = self.add_set(&set);
        self.elements(NEW_ELEMENTS, CREATE, name, Some(id), elements);
        id
    }

    /// Adds elements to a named set.
    pub fn add_elements(&mut self, set: &str, elements: &[(Vec<u8>, Data)]) {
        self.elements(NEW_ELEMENTS, CREATE, set, None, elements);
    }

    /// Adds an element that must not be there.
    pub fn add_new_element(&mut self, set: &str, element: &(Vec<u8>, Data)) {
        self.elements(NEW_ELEMENTS, CREATE | EXCLUSIVE, set, None, std::slice::from_ref(element));
    }

    /// Removes elements from a named set.
    pub fn delete_elements(&mut self, set: &str, elements: &[(Vec<u8>, Data)]) {
        self.elements(DELETE_ELEMENTS, 0, set, None, elements);
    }

    /// Removes all elements of a named set.
    pub fn flush_elements(&mut self, set: &str) {
        let table = self.table;
        self.push(DELETE_ELEMENTS, 0, |message| {
            message.text(1, table).text(2, set);
        });
    }

    fn elements(&mut self, kind: u16, flags: u16, set: &str, id: Option<u32>, elements: &[(Vec<u8>, Data)]) {
        let table = self.table;
        for chunk in elements.chunks(CHUNK) {
            self.push(kind, flags, |message| {
                message.text(1, table).text(2, set);
                if let Some(id) = id {
                    message.number(4, id);
                }
                message.nested(3, |list| chunk.iter().for_each(|(key, data)| element(list, key, data)));
            });
        }
    }

    /// Hands the batch to the kernel: all of it is in effect when this returns, or nothing.
    ///
    /// # Errors
    /// The first message that was refused, in words.
    pub fn commit(mut self, socket: &mut Socket) -> Result<(), Refused> {
        if let Some(last) = self.messages.last_mut() {
            last.ask_ack();
        }
        self.messages.push(Message::new(BATCH_END, 0, &header(0, SUBSYSTEM)));
        socket.send(&mut self.messages).map_err(|refused| {
            let what = self.messages.get(refused.index).map_or("message", |message| name_of(message.kind()));
            let error = io::Error::new(refused.error.kind(), format!("{what} (message {}): {}", refused.index, refused.error));
            Refused { index: refused.index, error }
        })
    }
}

fn element(list: &mut Message, key: &[u8], data: &Data) {
    list.nested(1, |element| {
        element.nested(1, |value| {
            value.bytes(1, key);
        });
        match data {
            Data::None => {}
            Data::End => {
                element.number(3, 1);
            }
            Data::Value(bytes) => {
                element.nested(2, |value| {
                    value.bytes(1, bytes);
                });
            }
            Data::Chain(code, chain) => {
                element.nested(2, |value| {
                    value.nested(2, |verdict| {
                        verdict.number(1, code.cast_unsigned()).text(2, chain);
                    });
                });
            }
        }
    });
}

fn name_of(kind: u16) -> &'static str {
    match kind & 0xff {
        NEW_TABLE => "new table",
        DELETE_TABLE => "delete table",
        NEW_CHAIN => "new chain",
        DELETE_CHAIN => "delete chain",
        NEW_RULE => "new rule",
        DELETE_RULE => "delete rule",
        NEW_SET => "new set",
        DELETE_SET => "delete set",
        NEW_ELEMENTS => "new elements",
        DELETE_ELEMENTS => "delete elements",
        _ => "batch",
    }
}

fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}
