//! Where an escape sequence ends (ECMA-48 5.3 to 5.6).

/// The longest sequence that is looked for, in bytes: what has no end by then is text.
const LONGEST: usize = 2_048;

/// What a sequence does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape<'a> {
    /// It changes how text looks (SGR); its parameters.
    Style(&'a str),
    /// Anything else.
    Other,
}

/// The sequence that a text begins with, and its length in bytes; nothing where it begins with none, or with one that has no end.
pub(crate) fn escape(text: &str) -> Option<(Escape<'_>, usize)> {
    let mut chars = text.chars();
    match chars.next()? {
        '\u{1b}' => {}
        // The same as one character (C1).
        '\u{9b}' => return control_sequence(chars.as_str(), 2),
        _ => return None,
    }
    let after = chars.as_str();
    match chars.next()? {
        '[' => control_sequence(chars.as_str(), 2),
        ']' | 'P' | 'X' | '^' | '_' => string(chars.as_str(), 2),
        ' '..='/' => {
            let middle = after.bytes().take(LONGEST).take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            let last = *after.as_bytes().get(middle)?;
            matches!(last, 0x30..=0x7e).then_some((Escape::Other, middle + 2))
        }
        '0'..='~' => Some((Escape::Other, 2)),
        _ => None,
    }
}

/// CSI: parameters, intermediates, one final byte.
fn control_sequence(text: &str, before: usize) -> Option<(Escape<'_>, usize)> {
    let bytes = text.as_bytes();
    let parameters = bytes.iter().take(LONGEST).take_while(|byte| matches!(byte, 0x30..=0x3f)).count();
    let middle = bytes.iter().skip(parameters).take(LONGEST).take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
    let last = *bytes.get(parameters + middle)?;
    if !matches!(last, 0x40..=0x7e) {
        return None;
    }
    let length = before + parameters + middle + 1;
    let is_style = last == b'm' && middle == 0;
    Some((if is_style { Escape::Style(text.get(..parameters)?) } else { Escape::Other }, length))
}

/// OSC, DCS and the like: up to BEL or ST.
fn string(text: &str, before: usize) -> Option<(Escape<'_>, usize)> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate().take(LONGEST) {
        match byte {
            0x07 => return Some((Escape::Other, before + at + 1)),
            0x1b if bytes.get(at + 1) == Some(&b'\\') => return Some((Escape::Other, before + at + 2)),
            _ => {}
        }
    }
    None
}
