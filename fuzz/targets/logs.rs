//! Any line of a log is shown as visible text in known looks, and nothing of it is lost that can be seen.
#![no_main]
// Of what is here only the reading is called.
#![allow(dead_code)]

#[path = "../../crates/dashboard/src/ansi.rs"]
mod ansi;
#[path = "../../crates/dashboard/src/escape.rs"]
mod escape;
#[path = "../../crates/dashboard/src/style.rs"]
mod style;
#[path = "../../crates/dashboard/src/text.rs"]
mod text;

use ansi::{Piece, pieces};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let line = String::from_utf8_lossy(bytes);
    for Piece(classes, text) in pieces(&line) {
        assert!(!text.chars().any(|c| c != '\t' && text::is_hidden(c)));
        assert!(classes.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' '));
    }
    // Without escapes and what writes over itself, every letter is there.
    if !line.contains(['\u{1b}', '\u{9b}', '\r', '\n']) && line.len() < 4_000 {
        let shown: String = pieces(&line).into_iter().map(|Piece(_, text)| text).collect();
        assert!(line.chars().filter(|c| c.is_alphanumeric()).all(|c| shown.contains(c)));
    }
    let _ = (text::name(&line), text::block(&line, 50), text::short_id(&line));
});
