//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the very top.

use crate::error::Errors;
use crate::span::{Span, Word};

/// The directives that mean something; other keys are comments.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// `syntax`, `escape` or `check`.
    pub name: String,
    /// What stands behind the equals sign.
    pub value: Word,
    /// The whole line with its line break.
    pub span: Span,
}

/// Reads directives until the first line that has not their form.
pub(crate) struct DirectiveReader {
    done: bool,
    seen: Vec<String>,
    pub(crate) escape: char,
}

impl DirectiveReader {
    pub(crate) fn new() -> Self {
        Self { done: false, seen: Vec::new(), escape: '\\' }
    }

    /// The directive that the line is, if any; sets the escape character.
    pub(crate) fn read(&mut self, line: &str, span: Span, errors: &mut Errors<'_>) -> Option<Directive> {
        if self.done {
            return None;
        }
        let Some((name, value, at)) = key_value(line) else {
            self.done = true;
            return None;
        };
        if !NAMES.contains(&name.as_str()) {
            return None;
        }
        if self.seen.contains(&name) {
            errors.add(span, format!("the directive `{name}` stands here a second time"), "keep one of them");
        }
        let value = Word::new(value, Span::new(span.start + at, span.start + at + value.len()));
        if name == "escape" {
            match value.text.as_str() {
                "\\" => self.escape = '\\',
                "`" => self.escape = '`',
                other => errors.add(value.span, format!("`{other}` cannot be the escape character"), "use a backslash or a backtick"),
            }
        }
        self.seen.push(name.clone());
        Some(Directive { name, value, span })
    }

    /// Anything else than a directive ends their place.
    pub(crate) fn close(&mut self) {
        self.done = true;
    }
}

/// `# key = value`: the key in lower case, the value, and where the value starts in the line.
fn key_value(line: &str) -> Option<(String, &str, usize)> {
    let body = line.trim_start().strip_prefix('#')?;
    let (key, value) = body.split_once('=')?;
    let key = key.trim();
    let valid = key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(|c| c.is_ascii_alphanumeric());
    let trimmed = value.trim();
    let start = line.len() - value.len() + (value.len() - value.trim_start().len());
    (valid && !trimmed.is_empty()).then(|| (key.to_ascii_lowercase(), trimmed, start))
}
