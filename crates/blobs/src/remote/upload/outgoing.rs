//! What a thread writes, cut into pieces for the task that sends them.

use crate::error::BlobError;
use bytes::Bytes;
use net::client::Piece;
use std::io::{self, Write};
use tokio::sync::mpsc;

pub(super) const PIECE: usize = 256 << 10;
const UNWANTED: &str = "nobody takes it any more";

/// Whether a blob could not be made because its taker went away.
pub(super) fn is_unwanted(error: &BlobError) -> bool {
    error.to_string().contains(UNWANTED)
}

/// Cuts what a thread writes into pieces, leaving out what arrived before.
pub(super) struct Outgoing<'a> {
    pub to: &'a mpsc::Sender<Piece>,
    pub buffer: Vec<u8>,
    pub skip: u64,
    pub sent: u64,
    pub told: tokio::sync::watch::Sender<u64>,
    pub gone: tokio::sync::watch::Receiver<()>,
    pub runtime: tokio::runtime::Handle,
}

impl Outgoing<'_> {
    pub fn put(&mut self, piece: Piece) -> io::Result<()> {
        let (to, gone) = (self.to, &mut self.gone);
        let taken = self.runtime.block_on(async {
            tokio::select! {
                taken = to.send(piece) => taken.is_ok(),
                _ = gone.changed() => false,
            }
        });
        if taken { Ok(()) } else { Err(io::Error::other(UNWANTED)) }
    }

    pub fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.sent += piece.len() as u64;
        self.put(Piece::Data(Bytes::from(piece)))?;
        self.told.send_replace(self.sent);
        Ok(())
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.skip > 0 {
            let skipped = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
            self.skip -= skipped as u64;
            return Ok(skipped);
        }
        let taken = bytes.len().min(PIECE - self.buffer.len().min(PIECE));
        self.buffer.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.buffer.len() >= PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
