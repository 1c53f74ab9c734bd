//! Takes secrets out of what commands write, raw and in the forms that tools write them in.

use crate::secret::Hidden;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Shorter values would blot out ordinary words.
const SHORTEST: usize = 4;
/// Shorter pieces of an encoding, or of a line of several, are not known to be of a secret.
const SHORTEST_PIECE: usize = 12;
/// Shorter values stand in many a file by chance.
const SHORTEST_IN_FILES: usize = 8;
/// What stands where a secret stood.
const STARS: &str = "***";

/// Finds secrets in lines.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    /// What is replaced wherever it stands, the longest first.
    whole: Vec<String>,
    /// Encodings that may be broken over lines: a run of their characters that is a piece of one is replaced.
    encoded: Vec<String>,
}

impl Mask {
    /// Of these values.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a Hidden>) -> Self {
        let mut mask = Self::default();
        for secret in secrets {
            mask.add(&secret.0);
        }
        mask.whole.sort_by_key(|text| std::cmp::Reverse(text.len()));
        mask.whole.dedup();
        mask
    }

    fn add(&mut self, secret: &[u8]) {
        let text = String::from_utf8_lossy(secret).into_owned();
        let trimmed = text.trim();
        if trimmed.len() < SHORTEST {
            return;
        }
        self.whole.push(trimmed.to_owned());
        // A value of several lines comes out line by line.
        self.whole.extend(trimmed.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_PIECE).map(str::to_owned));
        for line in trimmed.lines().map(str::trim).filter(|line| line.len() >= SHORTEST) {
            self.whole.extend(escaped(line));
        }
        for value in [secret, trimmed.as_bytes()] {
            self.encoded.push(hex(value));
            for skipped in 0..3 {
                if let Some(rest) = value.get(skipped..) {
                    self.encoded.push(base64(rest));
                }
            }
        }
    }

    /// Whether nothing is secret.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// The first of a tree's files that holds a secret as it is: what was written there will be read by everybody.
    pub(crate) fn find(&self, tree: &Path) -> Option<PathBuf> {
        let mut open = vec![tree.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
                if kind.is_dir() {
                    open.push(path);
                } else if kind.is_file() && self.holds(&path).unwrap_or(false) {
                    return Some(path.strip_prefix(tree).unwrap_or(&path).to_owned());
                }
            }
        }
        None
    }

    fn holds(&self, path: &Path) -> std::io::Result<bool> {
        let longest = self.whole.first().map_or(0, String::len);
        let mut file = fs::File::open(path)?;
        let mut window = Vec::new();
        loop {
            // What a piece ends with may be the beginning of a secret.
            let kept = window.len().saturating_sub(longest);
            window.drain(..kept);
            let before = window.len();
            file.by_ref().take(1 << 20).read_to_end(&mut window)?;
            if window.len() == before {
                return Ok(false);
            }
            if self
                .whole
                .iter()
                .filter(|text| text.len() >= SHORTEST_IN_FILES)
                .any(|text| memchr::memmem::find(&window, text.as_bytes()).is_some())
            {
                return Ok(true);
            }
        }
    }

    /// The line without secrets.
    pub(crate) fn apply(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for text in &self.whole {
            if line.contains(text.as_str()) {
                line = line.replace(text.as_str(), STARS);
            }
        }
        if self.encoded.is_empty() { line } else { self.runs(&line) }
    }

    /// Replaces runs of letters and digits that belong to an encoding.
    fn runs(&self, line: &str) -> String {
        let of_run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
        let (mut out, mut run) = (String::with_capacity(line.len()), String::new());
        for c in line.chars().chain([' ']) {
            if of_run(c) {
                run.push(c);
                continue;
            }
            out.push_str(if self.is_piece(&run) { STARS } else { &run });
            run.clear();
            out.push(c);
        }
        out.pop();
        out
    }

    fn is_piece(&self, run: &str) -> bool {
        if run.len() < SHORTEST_PIECE.min(self.encoded.iter().map(String::len).min().unwrap_or(SHORTEST_PIECE)) {
            return false;
        }
        let (plain, lower) = (run.replace('-', "+").replace('_', "/"), run.to_ascii_lowercase());
        self.encoded.iter().any(|encoded| {
            let piece = |run: &str| {
                (run.len() >= SHORTEST_PIECE && encoded.contains(run)) || (encoded.len() >= 6 && run.contains(encoded.as_str()))
            };
            piece(&plain) || piece(&lower)
        })
    }
}

/// As URLs, JSON, HTML and shells write it, where that is not the text itself.
fn escaped(text: &str) -> Vec<String> {
    let percent: String = text
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;");
    let json = serde_json::to_string(text).unwrap_or_default().trim_matches('"').to_owned();
    let shell = text.replace('\'', "'\\''");
    let mut forms = vec![percent.to_lowercase(), percent, html, json, shell];
    forms.retain(|form| form != text && form.len() >= SHORTEST);
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Standard base64 of the whole groups, which do not depend on what follows.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() / 3 * 4);
    for group in bytes.chunks_exact(3) {
        let number = group.iter().fold(0usize, |number, b| number << 8 | usize::from(*b));
        for shift in [18, 12, 6, 0] {
            out.push(LETTERS.get(number >> shift & 63).copied().map_or('=', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(secret: &str) -> Mask {
        Mask::new([Hidden(secret.as_bytes().to_vec())].iter())
    }

    #[test]
    fn secrets_are_found_in_every_form() {
        let secret = "hunter2&pa\"ss'word=17";
        let mask = mask(secret);
        let mut forms = vec![secret.to_owned(), hex(secret.as_bytes()), hex(secret.as_bytes()).to_uppercase()];
        for before in ["", "x", "xy"] {
            forms.push(base64(format!("{before}{secret}ab").as_bytes()));
        }
        forms.extend(escaped(secret));
        for form in forms {
            let shown = mask.apply(&format!("a {form} b"));
            assert!(shown.starts_with("a ") && shown.ends_with(" b") && shown.contains("***"), "{form}: {shown}");
            let left = form.len().saturating_sub(SHORTEST_PIECE);
            assert!(left == 0 || !shown.contains(&form[..left.max(SHORTEST)]), "{form}: {shown}");
        }
        assert_eq!(mask.apply("the hunter had a password"), "the hunter had a password");
    }

    #[test]
    fn lines_of_a_key_are_found_one_by_one() {
        let key = "-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END KEY-----\n";
        let mask = mask(key);
        assert_eq!(mask.apply("  MIGHAgEAMBMGByqGSM49"), "  ***");
        let broken = base64(key.as_bytes());
        assert_eq!(mask.apply(&broken[10..40]), "***");
    }

    #[test]
    fn nothing_is_found_where_nothing_is_secret() {
        for line in ["", "plain text", "sha256:0123456789abcdef0123456789abcdef"] {
            assert_eq!(Mask::default().apply(line), line);
            assert_eq!(mask("abc").apply(line), line);
            assert_eq!(mask("correct horse battery").apply(line), line);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_secret_never_comes_through(secret in "[!-~]{12,40}", before in ".*", after in ".*", line in ".*") {
            let shown = mask(&secret).apply(&format!("{before} {secret} {after}"));
            prop_assert!(!shown.contains(&secret), "{shown}");
            let _ = mask(&line).apply(&line);
            prop_assert_eq!(Mask::default().apply(&line), line);
        }
    }
}
