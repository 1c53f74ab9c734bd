//! Frames on the wire. Source: SPDY draft 3.1, section 2.

use super::headers::{Compressor, Decompressor};
use std::collections::BTreeMap;
use tokio::io::{AsyncRead, AsyncReadExt};

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const FIN: u8 = 1;
/// `CANCEL`, the status of our resets.
const CANCEL: u32 = 5;
/// Longer frames end the connection.
const MAX_BYTES: usize = 1 << 20;

/// A frame as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The client opens a stream.
    Open { id: u32, headers: BTreeMap<String, String>, fin: bool },
    /// We take it.
    Accepted { id: u32 },
    /// Bytes of a stream; `fin`: no more of them.
    Data { id: u32, bytes: Vec<u8>, fin: bool },
    /// A stream is over in both directions.
    Reset { id: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// No new streams.
    GoAway,
    /// Settings, window updates and whatever else is not acted on.
    Other,
}

/// Reads a frame; nothing at the end, and for what is no SPDY.
pub(super) async fn read_frame(from: &mut (impl AsyncRead + Unpin), headers: &mut Decompressor) -> Option<Frame> {
    let mut head = [0; 8];
    from.read_exact(&mut head).await.ok()?;
    let [a, b, c, d, flags, x, y, z] = head;
    let length = usize::try_from(u32::from_be_bytes([0, x, y, z])).ok()?;
    if length > MAX_BYTES {
        return None;
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await.ok()?;
    if a & 0x80 == 0 {
        return Some(Frame::Data { id: u32::from_be_bytes([a, b, c, d]), bytes: payload, fin: flags & FIN != 0 });
    }
    if u16::from_be_bytes([a & 0x7f, b]) != 3 {
        return None;
    }
    let id = || Some(u32::from_be_bytes(payload.get(..4)?.try_into().ok()?) & 0x7fff_ffff);
    Some(match u16::from_be_bytes([c, d]) {
        SYN_STREAM => Frame::Open { id: id()?, headers: headers.read(payload.get(10..)?)?, fin: flags & FIN != 0 },
        // All header blocks pass through one compression, so that those of no interest are read too.
        SYN_REPLY | HEADERS => {
            headers.read(payload.get(4..)?)?;
            Frame::Other
        }
        RST_STREAM => Frame::Reset { id: id()? },
        PING => Frame::Ping { id: u32::from_be_bytes(payload.get(..4)?.try_into().ok()?) },
        GOAWAY => Frame::GoAway,
        _ => Frame::Other,
    })
}

impl Frame {
    /// As it goes to the client.
    pub(super) fn encode(&self, headers: &mut Compressor) -> Vec<u8> {
        match self {
            Self::Data { id, bytes, fin } => {
                let mut out = Vec::with_capacity(8 + bytes.len());
                out.extend_from_slice(&(id & 0x7fff_ffff).to_be_bytes());
                out.extend_from_slice(&flags_and_length(if *fin { FIN } else { 0 }, bytes.len()));
                out.extend_from_slice(bytes);
                out
            }
            Self::Accepted { id } => {
                let mut payload = id.to_be_bytes().to_vec();
                payload.extend(headers.write(&[]));
                control(SYN_REPLY, &payload)
            }
            Self::Reset { id } => control(RST_STREAM, &[id.to_be_bytes(), CANCEL.to_be_bytes()].concat()),
            Self::Ping { id } => control(PING, &id.to_be_bytes()),
            Self::GoAway | Self::Open { .. } | Self::Other => control(GOAWAY, &[0; 8]),
        }
    }
}

fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 3];
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&flags_and_length(0, payload.len()));
    out.extend_from_slice(payload);
    out
}

fn flags_and_length(flags: u8, length: usize) -> [u8; 4] {
    let [_, x, y, z] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [flags, x, y, z]
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Option<Frame> {
        read_frame(&mut &*bytes, &mut Decompressor::new()).await
    }

    fn opening(id: u32) -> Vec<u8> {
        let mut payload = [id.to_be_bytes().to_vec(), vec![0; 6]].concat();
        payload.extend(Compressor::new().write(&[("streamtype", "data"), ("port", "80")]));
        control(SYN_STREAM, &payload)
    }

    #[tokio::test]
    async fn frames_are_read_as_they_are_written() {
        let mut headers = Compressor::new();
        for frame in
            [Frame::Data { id: 3, bytes: b"abc".to_vec(), fin: true }, Frame::Reset { id: 5 }, Frame::Ping { id: 7 }, Frame::GoAway]
        {
            assert_eq!(read(&frame.encode(&mut headers)).await, Some(frame));
        }
        let Some(Frame::Open { id: 9, headers, fin: false }) = read(&opening(9)).await else { panic!("no stream") };
        assert_eq!(headers.get("port").map(String::as_str), Some("80"));
    }

    #[tokio::test]
    async fn damaged_frames_end_the_connection_and_never_panic() {
        let whole = opening(1);
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]).await, None, "{cut}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let _ = read(&flipped).await;
            }
        }
        assert_eq!(read(&[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]).await, None, "too long");
    }
}
