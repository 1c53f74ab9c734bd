//! A digest that another thread computes while this one reads.

use oci::{Digest, Hasher};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// What goes over at once; less in all is hashed here, without a thread.
const CHUNK: usize = 256 * 1024;
/// Chunks that wait.
const AHEAD: usize = 4;

/// Bytes in order, and their digest at the end.
#[derive(Default)]
pub(crate) struct Aside {
    pending: Vec<u8>,
    other: Option<Other>,
}

struct Other {
    to: SyncSender<Vec<u8>>,
    emptied: Receiver<Vec<u8>>,
    thread: JoinHandle<Digest>,
}

impl Aside {
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == CHUNK {
                self.hand_over();
            }
        }
    }

    pub(crate) fn finish(mut self) -> Digest {
        match self.other.take() {
            None => Digest::of(&self.pending),
            Some(Other { to, thread, .. }) => {
                // It fails only where the thread has panicked, which joining it tells.
                let _ = to.send(self.pending);
                drop(to);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }

    fn hand_over(&mut self) {
        let other = self.other.get_or_insert_with(start);
        let empty = other.emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK));
        // It fails only where the thread has panicked, which joining it tells.
        let _ = other.to.send(std::mem::replace(&mut self.pending, empty));
    }
}

fn start() -> Other {
    let (to, chunks) = sync_channel::<Vec<u8>>(AHEAD);
    let (back, emptied) = channel();
    let thread = std::thread::spawn(move || {
        let mut hasher = Hasher::new();
        for mut chunk in chunks {
            hasher.update(&chunk);
            chunk.clear();
            let _ = back.send(chunk);
        }
        hasher.finish()
    });
    Other { to, emptied, thread }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 17).map(|number| (number % 251) as u8).collect();
        for (length, piece) in
            [(0, 1), (1, 1), (CHUNK - 1, 1000), (CHUNK, 4096), (CHUNK + 1, CHUNK), (bytes.len(), 1 << 20), (bytes.len(), 777)]
        {
            let mut aside = Aside::default();
            bytes[..length].chunks(piece).for_each(|piece| aside.update(piece));
            assert_eq!(aside.finish(), Digest::of(&bytes[..length]), "{length} {piece}");
        }
    }
}
