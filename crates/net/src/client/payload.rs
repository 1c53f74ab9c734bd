//! What is sent along with a request: nothing, bytes, or a stream that a thread makes.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A piece of a stream.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Data(Bytes),
    /// All was sent. A stream that ends without it was cut, and is not taken for whole.
    End,
    /// It cannot be made.
    Failed(String),
}

/// What is sent along with a request.
#[derive(Debug)]
pub enum Payload {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// What comes through the channel.
    Stream {
        /// Where it comes from.
        pieces: mpsc::Receiver<Piece>,
        /// How many bytes; without it they are sent in chunks.
        length: Option<u64>,
    },
}

/// Tells whether the other side takes bytes.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    asked: AtomicU64,
    ours: AtomicBool,
}

impl Pulse {
    pub(crate) fn count(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether it is our side that others wait for.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(crate) struct PayloadBody {
    payload: Payload,
    pulse: Arc<Pulse>,
}

impl PayloadBody {
    pub(crate) fn new(payload: Payload, pulse: Arc<Pulse>) -> Self {
        Self { payload, pulse }
    }
}

impl Body for PayloadBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.pulse.asked.fetch_add(1, Ordering::Relaxed);
        let polled = match &mut self.payload {
            Payload::Empty => Poll::Ready(None),
            Payload::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Payload::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Payload::Stream { pieces, length } => pieces.poll_recv(context).map(|piece| match piece {
                Some(Piece::Data(data)) => {
                    if let Some(left) = length {
                        *left = left.saturating_sub(data.len() as u64);
                    }
                    Some(Ok(Frame::data(data)))
                }
                Some(Piece::End) => None,
                Some(Piece::Failed(why)) => Some(Err(io::Error::other(why))),
                None => Some(Err(io::Error::other("what was to be sent ended early"))),
            }),
        };
        self.pulse.ours.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            Payload::Empty => true,
            Payload::Bytes(bytes) => bytes.is_empty(),
            Payload::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.payload {
            Payload::Empty => SizeHint::with_exact(0),
            Payload::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Payload::Stream { length: Some(length), .. } => SizeHint::with_exact(*length),
            Payload::Stream { length: None, .. } => SizeHint::default(),
        }
    }
}
