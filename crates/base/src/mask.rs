//! Secrets taken out of what goes by: raw, in the forms that programs write them in, in pieces and broken over lines.
//!
//! What a secret may look like is a graph (`forms`) that is walked byte by byte, so that any mixture of escapes is found. Only
//! what may still become a secret is held back. The search is for accidents: who wants to get a secret past it (reversed, in words
//! of his own) can.

mod forms;
mod graph;

use graph::{Graph, Walk};
use std::sync::Arc;

/// What stands where a secret was.
pub const MASKED: &str = "***";

/// A secret shorter than this, in bytes, stands in many a text by chance and is not looked for.
pub const SHORTEST: usize = 4;

/// The secrets that are looked for. Clones share them.
#[derive(Clone, Default)]
pub struct Mask {
    graph: Arc<Graph>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask(hidden)")
    }
}

impl Mask {
    /// Of secrets as they are. White space around them does not count; each line of a longer one is a secret too, where it has 8 bytes
    /// or more. What is shorter than [`SHORTEST`] is left out: see [`is_too_short`].
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut graph = Graph::default();
        for secret in secrets {
            for piece in forms::pieces(secret.as_ref()) {
                forms::add(&mut graph, piece);
            }
        }
        graph.finish();
        Self { graph: Arc::new(graph) }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.graph.is_empty()
    }

    /// A stream of bytes without the secrets.
    pub fn stream(&self) -> Masking {
        Masking { graph: self.graph.clone(), walk: Walk::default(), held: Vec::new(), begins: 0, hidden: Vec::new() }
    }

    /// The whole of something without the secrets.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.stream();
        let mut open = stream.feed(bytes);
        open.extend(stream.finish());
        open
    }

    /// A text without the secrets.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }
}

/// Whether a secret is too short to be looked for.
pub fn is_too_short(secret: &[u8]) -> bool {
    secret.trim_ascii().len() < SHORTEST
}

/// A stream on its way: what is fed comes out as soon as it can be no part of a secret.
///
/// Lines stay lines: where a secret went over several, each is masked for itself.
pub struct Masking {
    graph: Arc<Graph>,
    walk: Walk,
    /// What was fed and did not come out, from the byte `begins` of the stream on.
    held: Vec<u8>,
    begins: u64,
    /// Parts of the stream that are secret, ascending, apart from one another.
    hidden: Vec<(u64, u64)>,
}

impl std::fmt::Debug for Masking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masking({} held)", self.held.len())
    }
}

impl Masking {
    /// Takes the next bytes; gives those that are sure.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut at = self.begins + length(&self.held);
        self.held.extend_from_slice(bytes);
        for byte in bytes {
            if let Some(start) = self.walk.step(&self.graph, *byte, at) {
                hide(&mut self.hidden, start, at + 1);
            }
            at += 1;
        }
        let sure = self.walk.earliest().unwrap_or(at);
        self.give(sure)
    }

    /// The end of the stream: the rest of it. A new one begins.
    pub fn finish(&mut self) -> Vec<u8> {
        let end = self.begins + length(&self.held);
        self.walk = Walk::default();
        self.give(end)
    }

    /// How many bytes are held back because they may begin a secret.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Everything up to a byte of the stream.
    fn give(&mut self, until: u64) -> Vec<u8> {
        // A secret that has been found and may still grow comes out as a whole.
        let until = match self.hidden.last() {
            Some((start, end)) if *start < until && until < *end => *start,
            _ => until,
        };
        let count = usize::try_from(until.saturating_sub(self.begins)).unwrap_or(usize::MAX).min(self.held.len());
        let mut open = Vec::with_capacity(count);
        let mut hidden = self.hidden.iter().peekable();
        let mut shown = false;
        for (at, byte) in (self.begins..).zip(self.held.drain(..count)) {
            while hidden.next_if(|(_, end)| *end <= at).is_some() {}
            let start = hidden.peek().map(|(start, _)| *start).filter(|start| *start <= at);
            shown &= start != Some(at);
            match (start, byte) {
                (None, _) => open.push(byte),
                (Some(_), b'\n') => {
                    open.push(byte);
                    shown = false;
                }
                (Some(_), _) if shown => {}
                (Some(_), _) => {
                    open.extend_from_slice(MASKED.as_bytes());
                    shown = true;
                }
            }
        }
        self.begins += u64::try_from(count).unwrap_or(0);
        let begins = self.begins;
        self.hidden.retain(|(_, end)| *end > begins);
        open
    }
}

/// Adds a part, which ends after all others.
fn hide(hidden: &mut Vec<(u64, u64)>, mut start: u64, end: u64) {
    while let Some((before, _)) = hidden.pop_if(|(_, before_end)| *before_end > start) {
        start = start.min(before);
    }
    hidden.push((start, end));
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
