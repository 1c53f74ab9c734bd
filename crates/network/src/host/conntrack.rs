//! The kernel's table of connections: a UDP client keeps going to an endpoint that is gone until its flow is forgotten.

use crate::netlink::{self, DUMP, Message, Socket, attribute};
use crate::nft::IPV4;
use crate::rules::Endpoint;
use std::collections::BTreeSet;
use std::io;

const LIST: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const UDP: u8 = 17;

/// Deletes the UDP flows that were led to these endpoints.
///
/// # Errors
/// What the kernel said.
pub(crate) fn forget(socket: &mut Socket, endpoints: &BTreeSet<Endpoint>) -> io::Result<()> {
    if endpoints.is_empty() {
        return Ok(());
    }
    for flow in socket.list(Message::new(LIST, DUMP, &[IPV4, 0, 0, 0]))? {
        let Some(original) = flow.get(4..).and_then(|flow| led_to(flow, endpoints)) else { continue };
        let mut message = Message::new(DELETE, netlink::ACK, &[IPV4, 0, 0, 0]);
        message.nested(ORIGINAL, |tuple| {
            tuple.raw(original);
        });
        match socket.send(&mut [message]) {
            // It ended by itself.
            Err(refused) if refused.error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(|refused| refused.error)?,
        }
    }
    Ok(())
}

/// The original side of a flow whose answers come from one of these, though it was sent elsewhere.
fn led_to<'a>(flow: &'a [u8], endpoints: &BTreeSet<Endpoint>) -> Option<&'a [u8]> {
    let (original, reply) = (attribute(flow, ORIGINAL)?, attribute(flow, REPLY)?);
    let protocol = attribute(attribute(reply, 2)?, 1)?;
    let source: [u8; 4] = attribute(attribute(reply, 1)?, 1)?.try_into().ok()?;
    let port: [u8; 2] = attribute(attribute(reply, 2)?, 2)?.try_into().ok()?;
    let sent_to = attribute(attribute(original, 1)?, 2)?;
    let led = protocol == [UDP] && sent_to != source && endpoints.contains(&(source.into(), u16::from_be_bytes(port)));
    led.then_some(original)
}
