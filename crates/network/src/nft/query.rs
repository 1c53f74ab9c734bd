//! What is asked of nf_tables.

use super::{IPV4, SUBSYSTEM, header};
use crate::netlink::{self, DUMP, Message, Socket};
use std::io;

const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_SET: u16 = 10;
const GET_ELEMENTS: u16 = 13;
const GET_GENERATION: u16 = 16;

fn query(kind: u16, flags: u16) -> Message {
    Message::new(SUBSYSTEM << 8 | kind, flags, &header(IPV4, 0))
}

/// Whether the kernel has nf_tables and lets us use it.
///
/// # Errors
/// What it said.
pub(crate) fn probe(socket: &mut Socket) -> io::Result<()> {
    let mut message = Message::new(SUBSYSTEM << 8 | GET_GENERATION, 0, &header(0, 0));
    message.ask_ack();
    socket.send(&mut [message]).map_err(|refused| refused.error)
}

/// Keys of a named set; `None` when table or set is missing.
///
/// # Errors
/// What the kernel said.
pub(crate) fn keys(socket: &mut Socket, table: &str, set: &str) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut message = query(GET_ELEMENTS, DUMP);
    message.text(1, table).text(2, set);
    let answers = match socket.list(message) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        answers => answers?,
    };
    let lists = answers.iter().filter_map(|answer| netlink::attribute(answer.get(4..)?, 3));
    let elements = lists.flat_map(netlink::attributes).map(|(_, element)| element);
    Ok(Some(elements.filter_map(|element| netlink::attribute(netlink::attribute(element, 1)?, 1)).map(<[u8]>::to_vec).collect()))
}

/// Names of the tables that have a set of this name.
///
/// # Errors
/// What the kernel said.
pub(crate) fn tables_with(socket: &mut Socket, set: &str) -> io::Result<Vec<String>> {
    let text = |value: &[u8]| Some(String::from_utf8_lossy(value.strip_suffix(&[0])?).into_owned());
    let found = socket.list(query(GET_SET, DUMP))?;
    let table = |answer: &Vec<u8>| -> Option<String> {
        let attributes = answer.get(4..)?;
        let name = netlink::attribute(attributes, 2).and_then(text)?;
        (name == set).then(|| netlink::attribute(attributes, 1).and_then(text))?
    };
    Ok(found.iter().filter_map(table).collect())
}

/// Whether a chain is there.
///
/// # Errors
/// What the kernel said, beside that it is not there.
pub(crate) fn has_chain(socket: &mut Socket, table: &str, chain: &str) -> io::Result<bool> {
    let mut message = query(GET_CHAIN, 0);
    message.text(1, table).text(3, chain);
    message.ask_ack();
    match socket.send(&mut [message]) {
        Ok(()) => Ok(true),
        Err(refused) if refused.error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

/// Handles of the rules of a chain that carry this comment.
///
/// # Errors
/// What the kernel said.
pub(crate) fn commented_rules(socket: &mut Socket, table: &str, chain: &str, comment: &str) -> io::Result<Vec<u64>> {
    let mut message = query(GET_RULE, DUMP);
    message.text(1, table).text(2, chain);
    let answers = socket.list(message)?;
    let handle = |answer: &Vec<u8>| -> Option<u64> {
        let rule = answer.get(4..)?;
        // The kernel filters by chain only where it is new enough.
        let ours = netlink::attribute(rule, 2)?.strip_suffix(&[0])? == chain.as_bytes()
            && netlink::attribute(rule, 1)?.strip_suffix(&[0])? == table.as_bytes();
        let note = netlink::attribute(rule, 7)?.get(2..)?.strip_suffix(&[0])?;
        (ours && note == comment.as_bytes()).then_some(u64::from_be_bytes(netlink::attribute(rule, 3)?.try_into().ok()?))
    };
    Ok(answers.iter().filter_map(handle).collect())
}
