//! Any bytes are read as answers of HTTP/1.1, or refused; how they were cut on their way, and whether the head was read before,
//! makes no difference.
#![no_main]

// The parser alone: what else the load generator stands on would take minutes to build here.
#[path = "../../crates/loadgen/src/response.rs"]
mod response;

use response::{Known, Response};

/// Status, whether the connection may be used again, what was used, whether it is whole, also at the connection's end, and what
/// was kept of it; nothing when it is no answer.
fn read(bytes: &[u8], piece: usize, known: &mut Known) -> Option<(u16, bool, usize, [bool; 2], Vec<u8>)> {
    let (mut response, mut buffer, mut total) = (Response::default(), Vec::new(), 0);
    for part in bytes.chunks(piece) {
        buffer.extend_from_slice(part);
        let (used, done) = response.feed(&buffer, known).ok()?;
        buffer.drain(..used);
        total += used;
        if done {
            return Some((response.status, response.reusable, total, [true, response.close()], response.example));
        }
    }
    Some((response.status, response.reusable, total, [false, response.close()], response.example))
}

libfuzzer_sys::fuzz_target!(|input: (bool, u8, &[u8])| {
    let (bodiless, piece, bytes) = input;
    let whole = read(bytes, bytes.len().max(1), &mut Known::new(bodiless));
    let mut known = Known::new(bodiless);
    for _ in 0..2 {
        let cut = read(bytes, usize::from(piece).max(1), &mut known);
        // What is refused later in one piece may have been enough before in the other: an end, and never another one.
        if let (Some(whole), Some(cut)) = (&whole, &cut) {
            assert_eq!(whole, cut);
        }
    }
});
