//! Foreign text made safe to look at: nothing that is invisible, and nothing that turns what stands around it.

use std::borrow::Cow;
use std::fmt::Write;

/// The longest name that is shown whole, in characters.
pub(crate) const NAME: usize = 120;
/// The longest sentence.
pub(crate) const SENTENCE: usize = 600;

/// One line of text: what is no visible character is written as an escape, what is past `most` characters is cut.
pub(crate) fn line(text: &str, most: usize) -> Cow<'_, str> {
    clean(text, most, |_| false)
}

/// Several lines of text: line breaks and tabs stay.
pub(crate) fn block(text: &str, most: usize) -> Cow<'_, str> {
    clean(text, most, |c| matches!(c, '\n' | '\t'))
}

/// A name as it is shown.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    line(text, NAME)
}

/// A sentence as it is shown.
pub(crate) fn sentence(text: &str) -> Cow<'_, str> {
    line(text, SENTENCE)
}

/// The first twelve digits of an id such as a commit's or `sha256:...`.
pub(crate) fn short_id(id: &str) -> Cow<'_, str> {
    line(id.strip_prefix("sha256:").unwrap_or(id).get(..12).unwrap_or(id), NAME)
}

/// A number with its thousands apart: `50,112`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn clean(text: &str, most: usize, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_plain = |c: char| stays(c) || !is_hidden(c);
    // The bytes bound the characters.
    if text.len() <= most && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len().min(most * 4));
    let mut chars = text.chars();
    for c in chars.by_ref().take(most) {
        if is_plain(c) { out.push(c) } else { escape(c, &mut out) }
    }
    if chars.next().is_some() {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Writes what stands for a hidden character: `\n`, `\u{202e}`.
pub(crate) fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

/// Control characters, those that change the direction of text (UAX 9), and those that show nothing but joiners, which
/// scripts and emoji need.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_hides_or_turns_is_written_out() {
        for (text, shown) in [
            ("main", "main"),
            ("a\u{202e}gpj.exe", "a\\u{202e}gpj.exe"),
            ("a\nb\u{1b}[2J", "a\\nb\\u{1b}[2J"),
            ("<script>", "<script>"),
            ("émoji 👩‍🔧", "émoji 👩‍🔧"),
        ] {
            assert_eq!(name(text), shown);
        }
        assert_eq!((block("a\n\tb\r", 9).as_ref(), line("abcdef", 3).as_ref()), ("a\n\tb\\r", "abc…"));
        assert_eq!([0, 999, 1_000, 50_112, 1_234_567].map(number), ["0", "999", "1,000", "50,112", "1,234,567"]);
        assert_eq!((short_id("sha256:0123456789abcdef").as_ref(), short_id("abc").as_ref()), ("0123456789ab", "abc"));
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in "\\PC{0,40}|[\\x00-\\x1f\u{202a}-\u{202e}a-z]{0,40}", most in 0..50usize) {
            let shown = line(&text, most);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert!(shown.chars().count() <= most * 10 + 1);
            prop_assert!(!short_id(&text).chars().any(is_hidden));
        }
    }
}
