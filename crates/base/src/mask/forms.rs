//! What a secret may look like: each of its bytes in any of the ways in which programs write one, or all of it in hex or base64.

use super::graph::{Graph, Step};
use super::{SHORTEST, is_too_short};

/// What stands in a secret: a byte (below 256), a character (256 and its number), a digit of hex or a character of base64.
pub(super) type Symbol = u32;

/// No part of a secret: what breaks a line.
pub(super) const BREAK: Symbol = Symbol::MAX;
const CHARACTER: Symbol = 0x100;
const HEX: Symbol = 0x20_0000;
const BASE64: Symbol = 0x30_0000;

/// How a secret is written as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) enum Root {
    /// Byte for byte.
    Written = 0,
    /// In hexadecimal.
    Hex = 1,
    /// In base64.
    Base64 = 2,
}

impl Root {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 3] = [Self::Written, Self::Hex, Self::Base64];
}

/// A line of a longer secret counts for itself from this length on, in bytes: shorter ones, such as `}`, stand everywhere.
const SHORTEST_LINE: usize = 8;

/// What breaks a line in JSON (also in JSON within JSON), in a shell and in mail.
const BREAKS: [&str; 10] = ["\\n", "\\r", "\\t", "\\\\n", "\\\\r", "\\\\t", "\\\n", "\\\r\n", "=\n", "=\r\n"];

/// The secret without white space around it, and its lines; nothing where it is too short.
pub(super) fn pieces(secret: &[u8]) -> Vec<&[u8]> {
    if is_too_short(secret) {
        return Vec::new();
    }
    let whole = secret.trim_ascii();
    let lines = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| line.len() >= SHORTEST_LINE);
    let mut all = vec![whole];
    all.extend(lines.filter(|line| line.len() < whole.len()));
    all
}

/// Adds all forms of a secret.
pub(super) fn add(graph: &mut Graph, secret: &[u8]) {
    let one = |symbol: Symbol| Step { symbol, wider: None, may_skip: false };
    let written = secret.iter().enumerate().map(|(index, byte)| {
        let character = character(secret.get(index..).unwrap_or_default());
        let wider = character.map(|character| (CHARACTER + u32::from(character), character.len_utf8()));
        // White space itself may be there or not, as anywhere.
        Step { symbol: Symbol::from(*byte), wider, may_skip: byte.is_ascii_whitespace() }
    });
    graph.add(Root::Written, &written.collect::<Vec<_>>());
    let digits = secret.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| one(HEX + Symbol::from(digit)));
    graph.add(Root::Hex, &digits.collect::<Vec<_>>());
    for offset in 0..3 {
        let characters: Vec<Step> = base64(secret, offset).into_iter().map(|value| one(BASE64 + Symbol::from(value))).collect();
        if characters.len() >= SHORTEST {
            graph.add(Root::Base64, &characters);
        }
    }
}

/// All forms of a symbol.
pub(super) fn of(symbol: Symbol) -> Vec<Vec<u8>> {
    let value = |from: Symbol| u8::try_from(symbol.saturating_sub(from)).unwrap_or(0);
    match symbol {
        BREAK => BREAKS.iter().map(|form| form.as_bytes().to_vec()).collect(),
        BASE64.. => of_base64(value(BASE64)),
        HEX.. => of_digit(value(HEX)),
        CHARACTER.. => char::from_u32(symbol - CHARACTER).map(of_character).unwrap_or_default(),
        _ => of_byte(value(0)),
    }
}

/// The ways to write one byte.
fn of_byte(byte: u8) -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = Vec::new();
    if !byte.is_ascii_whitespace() {
        forms.push(vec![byte]);
    }
    for hex in [format!("{byte:02x}"), format!("{byte:02X}")] {
        for before in ["%", "%25", "\\x", "\\\\x", "="] {
            forms.push(format!("{before}{hex}").into_bytes());
        }
    }
    for before in ["\\", "\\\\", "\\0", "\\\\0"] {
        forms.push(format!("{before}{byte:03o}").into_bytes());
    }
    if byte.is_ascii_punctuation() {
        for backslashes in 1..=3 {
            forms.push([b"\\".repeat(backslashes), vec![byte]].concat());
        }
    }
    forms.extend(special(byte).iter().map(|form| form.as_bytes().to_vec()));
    forms.sort();
    forms.dedup();
    forms
}

/// What only some bytes are written as: in shells, HTML, forms, SQL, make, Compose.
const fn special(byte: u8) -> &'static [&'static str] {
    match byte {
        b' ' => &["+", "\\ ", "\\\\ ", "&nbsp;"],
        b'\'' => &["'\\''", "'\\\\''", "'\"'\"'", "'\\\"'\\\"'", "\"'\"", "''", "&apos;", "&amp;apos;"],
        b'"' => &["\"\"", "&quot;", "&amp;quot;", "'\"'"],
        b'&' => &["&amp;", "&amp;amp;"],
        b'<' => &["&lt;", "&amp;lt;"],
        b'>' => &["&gt;", "&amp;gt;"],
        b'$' => &["$$"],
        b'%' => &["%%"],
        b'\\' => &["\\\\\\\\"],
        0 => &["\\0"],
        7 => &["\\a"],
        8 => &["\\b", "\\\\b"],
        11 => &["\\v"],
        12 => &["\\f", "\\\\f"],
        27 => &["\\e", "\\E"],
        _ => &[],
    }
}

/// The ways to write a character by its number: JSON, JavaScript, Rust, Python, HTML.
fn of_character(character: char) -> Vec<Vec<u8>> {
    let number = u32::from(character);
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units);
    let mut forms = Vec::new();
    for hex in [|number: u32| format!("{number:x}"), |number: u32| format!("{number:X}")] {
        for before in ["\\u", "\\\\u"] {
            forms.push(units.iter().map(|unit| format!("{before}{:0>4}", hex(u32::from(*unit)))).collect());
        }
        forms.extend([format!("\\u{{{}}}", hex(number)), format!("\\U{:0>8}", hex(number)), format!("&amp;#x{};", hex(number))]);
        for (before, width) in [("&#x", 0), ("&#X", 0), ("&#x", 2), ("&#x", 4)] {
            forms.push(format!("{before}{:0>width$};", hex(number)));
        }
    }
    for (before, width) in [("&#", 0), ("&#", 3), ("&amp;#", 0)] {
        forms.push(format!("{before}{number:0>width$};"));
    }
    forms.sort();
    forms.dedup();
    forms.into_iter().map(String::into_bytes).collect()
}

/// The character that begins here, where the bytes are UTF-8.
fn character(bytes: &[u8]) -> Option<char> {
    let first = bytes.get(..bytes.len().min(4))?.utf8_chunks().next()?;
    first.valid().chars().next()
}

fn of_digit(value: u8) -> Vec<Vec<u8>> {
    let mut forms = [format!("{value:x}"), format!("{value:X}")].map(String::into_bytes).to_vec();
    forms.dedup();
    forms
}

/// The characters of base64 (RFC 4648 sections 4 and 5), as numbers, that are the same whatever stands before and behind, when so
/// many bytes of a group of three stand before.
fn base64(secret: &[u8], offset: usize) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(secret.iter().copied()).collect();
    let byte = |index: usize| u16::from(padded.get(index).copied().unwrap_or(0));
    let sextet = |index: usize| {
        let (at, shift) = (index * 6 / 8, index * 6 % 8);
        u8::try_from((byte(at) << 8 | byte(at + 1)) >> (10 - shift) & 63).unwrap_or(0)
    };
    ((offset * 8).div_ceil(6)..padded.len() * 8 / 6).map(sextet).collect()
}

fn of_base64(value: u8) -> Vec<Vec<u8>> {
    let forms: &[&str] = match value {
        0..26 => return vec![vec![b'A' + value]],
        26..52 => return vec![vec![b'a' + value - 26]],
        52..62 => return vec![vec![b'0' + value - 52]],
        62 => &["+", "-", "%2B", "%2b", "\\u002b", "\\u002B", "&#43;"],
        _ => &["/", "_", "%2F", "%2f", "\\/", "\\u002f", "\\u002F", "&#x2f;", "&#x2F;", "&#47;"],
    };
    forms.iter().map(|form| form.as_bytes().to_vec()).collect()
}
