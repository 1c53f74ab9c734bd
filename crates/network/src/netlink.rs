//! Netlink: messages as bytes, and a blocking socket whose answers are there when `send` returns.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};
use std::io;
use std::os::fd::OwnedFd;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const EXCLUSIVE: u16 = 0x200;

const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// One message: header, fixed part, attributes.
#[derive(Clone, Debug)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// Begins a message with its type, flags (beside [`REQUEST`]) and the fixed part after the header.
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Self(bytes)
    }

    /// Appends an attribute.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len() + 4).expect("attributes are chunked below 64 KiB");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends a text that ends in a zero byte.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Appends a number in network order, as netfilter wants its numbers.
    pub fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a long number in network order.
    pub fn long(&mut self, kind: u16, value: u64) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends an attribute made of attributes.
    pub fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let from = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        fill(self);
        let length = u16::try_from(self.0.len() - from).expect("attributes are chunked below 64 KiB");
        self.0[from..from + 2].copy_from_slice(&length.to_ne_bytes());
        self.0[from + 2..from + 4].copy_from_slice(&(kind | NESTED).to_ne_bytes());
        self
    }

    /// Appends attributes that are encoded already.
    pub fn raw(&mut self, attributes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(attributes);
        self
    }

    /// The message type.
    pub fn kind(&self) -> u16 {
        u16::from_ne_bytes([self.0[4], self.0[5]])
    }

    /// Asks for an acknowledgement.
    pub fn ask_ack(&mut self) {
        let flags = u16::from_ne_bytes([self.0[6], self.0[7]]) | ACK;
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
    }

    /// Everything after the header: what has been appended.
    #[cfg(test)]
    pub fn body(&self) -> &[u8] {
        &self.0[HEADER..]
    }

    /// The attributes of a message begun with an empty fixed part.
    pub fn into_attributes(self) -> Vec<u8> {
        self.0.get(HEADER..).unwrap_or_default().to_vec()
    }

    fn finish(&mut self, sequence: u32) -> &[u8] {
        let length = u32::try_from(self.0.len()).expect("a message is far below 4 GiB");
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.0
    }
}

/// What the kernel refused: which message of those sent (from 0), and why.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Index of the message.
    pub index: usize,
    /// The kernel's answer.
    pub error: io::Error,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { index: 0, error }
    }
}

/// One attribute of an answer.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, kind) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
        let value = rest.get(4..usize::from(length))?;
        rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    })
}

/// The value of one attribute.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A socket to one kernel subsystem, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// For links, addresses, routes.
    pub fn route() -> io::Result<Self> {
        Self::open(None)
    }

    /// For nf_tables and connection tracking.
    pub fn netfilter() -> io::Result<Self> {
        Self::open(Some(netlink::NETFILTER))
    }

    fn open(protocol: Option<rustix::net::Protocol>) -> io::Result<Self> {
        let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        rustix::net::bind(&fd, &netlink::SocketAddrNetlink::new(0, 0))?;
        Ok(Self { fd, sequence: 0 })
    }

    /// Sends all messages at once and reads the answers. The kernel handles them before `send` returns, so nothing is waited for.
    ///
    /// # Errors
    /// The first refusal.
    pub fn send(&mut self, messages: &mut [Message]) -> Result<(), Refused> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in messages.iter_mut() {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend_from_slice(message.finish(self.sequence));
        }
        self.write(&bytes)?;
        let mut refused: Option<Refused> = None;
        for answer in self.answers(RecvFlags::DONTWAIT)? {
            let (Some(sequence), Some(code)) = (u32_at(&answer, 8), u32_at(&answer, HEADER)) else { continue };
            let index = usize::try_from(sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
            let code = code.cast_signed();
            if code != 0
                && u16_at(&answer, 4) == Some(ERROR)
                && index < messages.len()
                && refused.as_ref().is_none_or(|other| index < other.index)
            {
                refused = Some(Refused { index, error: io::Error::from_raw_os_error(code.saturating_neg()) });
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Asks for a list; each answer is the part after the message header.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn list(&mut self, mut message: Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = message.finish(self.sequence).to_vec();
        self.write(&bytes)?;
        let mut found = Vec::new();
        loop {
            for answer in self.answers(RecvFlags::empty())? {
                match u16_at(&answer, 4) {
                    Some(DONE) => return Ok(found),
                    Some(ERROR) => {
                        let code = u32_at(&answer, HEADER).unwrap_or(0).cast_signed();
                        return if code == 0 { Ok(found) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) };
                    }
                    _ => found.push(answer.get(HEADER..).unwrap_or_default().to_vec()),
                }
            }
        }
    }

    /// Asks for one thing; the answer is the part after the message header.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn get(&mut self, mut message: Message) -> io::Result<Vec<u8>> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = message.finish(self.sequence).to_vec();
        self.write(&bytes)?;
        let answer = self.answers(RecvFlags::empty())?.into_iter().next().unwrap_or_default();
        match (u16_at(&answer, 4), u32_at(&answer, HEADER)) {
            (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.cast_signed().saturating_neg())),
            _ => Ok(answer.get(HEADER..).unwrap_or_default().to_vec()),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let room = bytes.len().saturating_mul(2).max(212_992);
        // Without the capability the default stays, and a batch that is too long is refused by name.
        let _ = sockopt::set_socket_send_buffer_size_force(&self.fd, room);
        rustix::net::send(&self.fd, bytes, SendFlags::empty())?;
        Ok(())
    }

    /// One blocking read, or everything that is there with `DONTWAIT`, cut into messages.
    fn answers(&self, flags: RecvFlags) -> io::Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        let mut buffer = vec![0u8; 64 * 1024];
        loop {
            let length = match rustix::net::recv(&self.fd, &mut *buffer, flags) {
                Ok((_, length)) => length,
                Err(rustix::io::Errno::AGAIN) => return Ok(found),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some(size) = u32_at(rest, 0).and_then(|size| usize::try_from(size).ok()).filter(|size| *size >= HEADER) {
                let Some(message) = rest.get(..size) else { break };
                found.push(message.to_vec());
                rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
            }
            if !flags.contains(RecvFlags::DONTWAIT) {
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let mut message = Message::new(1, 0, &[]);
        message.text(1, "abc").number(2, 7).nested(3, |inner| {
            inner.bytes(4, &[1, 2, 3, 4, 5]);
        });
        let found: Vec<_> = attributes(message.body()).collect();
        assert_eq!(found[0], (1, b"abc\0".as_slice()));
        assert_eq!(found[1], (2, 7u32.to_be_bytes().as_slice()));
        assert_eq!(attribute(found[2].1, 4), Some([1, 2, 3, 4, 5].as_slice()));
    }

    #[test]
    fn torn_attributes_end_the_list() {
        for bytes in [&[][..], &[3], &[0, 0, 0, 0], &[3, 0, 1, 0], &[9, 0, 1, 0, 1], &[255, 255, 1, 0, 0, 0]] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
    }
}
