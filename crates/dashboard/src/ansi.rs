//! Log lines as terminals would show them, as far as that is safe: colours by ECMA-48 SGR, everything else that moves or asks is left out.

use crate::escape::{Escape, escape};
use crate::style::Style;
use crate::text;
use serde::Serialize;

/// The longest line that is shown, in characters.
const LONGEST: usize = 4_000;

/// A part of a line that looks the same; as JSON `["CLASSES","TEXT"]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Piece(pub(crate) String, pub(crate) String);

/// The parts of one line. Each line begins plain, so that lines can be shown from anywhere.
pub(crate) fn pieces(line: &str) -> Vec<Piece> {
    let mut out = Pieces::default();
    let mut rest = last_write(line);
    let mut left = LONGEST;
    while let Some(c) = rest.chars().next() {
        if left == 0 {
            out.more(rest.chars().count());
            break;
        }
        if let Some(found) = escape(rest) {
            match found {
                (Escape::Style(parameters), length) => {
                    out.style(parameters);
                    rest = rest.get(length..).unwrap_or_default();
                }
                (Escape::Other, length) => rest = rest.get(length..).unwrap_or_default(),
            }
            // What is left out counts too: a line of nothing but escapes ends somewhere.
            left -= 1;
            continue;
        }
        out.push(c);
        left -= 1;
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out.end()
}

/// What the last carriage return left on the line: progress bars write over themselves.
fn last_write(line: &str) -> &str {
    let line = line.trim_end_matches(['\r', '\n']);
    line.rsplit_once('\r').map_or(line, |(_, last)| last)
}

#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    style: Style,
    text: String,
}

impl Pieces {
    fn push(&mut self, c: char) {
        if c == '\t' || !text::is_hidden(c) {
            self.text.push(c);
        } else {
            text::escape(c, &mut self.text);
        }
    }

    fn style(&mut self, parameters: &str) {
        let next = self.style.after(parameters);
        if next != self.style {
            self.flush();
            self.style = next;
        }
    }

    fn more(&mut self, characters: usize) {
        self.flush();
        self.done.push(Piece("more".to_owned(), format!(" … {characters} more characters")));
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.done.push(Piece(self.style.classes(), std::mem::take(&mut self.text)));
        }
    }

    fn end(mut self) -> Vec<Piece> {
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Vec<(String, String)> {
        pieces(line).into_iter().map(|Piece(classes, text)| (classes, text)).collect()
    }

    #[test]
    fn colours_stay_and_everything_else_goes() {
        let rows: [(&str, &[(&str, &str)]); 12] = [
            ("plain", &[("", "plain")]),
            ("\u{1b}[31;1merror\u{1b}[0m: x", &[("b f1", "error"), ("", ": x")]),
            ("\u{1b}[38;5;9mred\u{1b}[39m", &[("f9", "red")]),
            ("\u{1b}[38;2;250;10;10mred", &[("f9", "red")]),
            ("\u{1b}[48;5;2mon", &[("g2", "on")]),
            ("a\u{1b}[2Jb\u{1b}[10;10Hc", &[("", "abc")]),
            ("a\u{1b}]0;title\u{7}b\u{1b}]8;;javascript:x\u{1b}\\c", &[("", "abc")]),
            ("10%\r20%\r", &[("", "20%")]),
            // What never ends hides nothing.
            ("a\u{1b}]0;b", &[("", "a\\u{1b}]0;b")]),
            ("a\u{1b}[3", &[("", "a\\u{1b}[3")]),
            ("\u{9b}31mx", &[("f1", "x")]),
            ("<script>\u{202e}", &[("", "<script>\\u{202e}")]),
        ];
        for (line, expected) in rows {
            let expected: Vec<_> = expected.iter().map(|(classes, text)| ((*classes).to_owned(), (*text).to_owned())).collect();
            assert_eq!(read(line), expected, "{line:?}");
        }
    }

    #[test]
    fn long_lines_are_cut_and_say_so() {
        let found = read(&"x".repeat(LONGEST + 7));
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], ("more".to_owned(), " … 7 more characters".to_owned()));
        assert!(read(&"\u{1b}[31m".repeat(LONGEST * 3)).len() <= 1);
    }

    proptest! {
        #[test]
        fn any_line_is_text_and_known_classes(line in "(\\PC|\u{1b}\\[[0-9;:]{0,8}[a-zA-Z]?|\u{1b}[\\]P_^][a-z]{0,3}(\u{7}|\u{1b}\\\\)?|[\\x00-\\x1f\u{9b}]){0,40}") {
            for Piece(classes, text) in pieces(&line) {
                prop_assert!(!text.chars().any(|c| c != '\t' && crate::text::is_hidden(c)));
                prop_assert!(classes.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' '), "{}", classes);
            }
        }
    }
}
