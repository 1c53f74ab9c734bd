//! A position in a script, and the small steps that the grammar makes of it.

use super::{DEEPEST, Script};

/// The text is no shell script.
#[derive(Debug)]
pub(super) struct NoScript;

/// What a step gives, or that this is no script.
pub(super) type Step<T> = Result<T, NoScript>;

/// A here-document whose body starts behind the next line break.
pub(super) struct Pending {
    pub(super) delimiter: String,
    pub(super) tabs: bool,
}

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    pub(super) pending: Vec<Pending>,
    pub(super) found: Script,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, pending: Vec::new(), found: Script::default() }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What was read since that position.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Takes the text when it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text);
        if here {
            self.at += text.len();
        }
        here
    }

    pub(super) fn expect(&mut self, text: &str) -> Step<()> {
        if self.eat(text) { Ok(()) } else { Err(NoScript) }
    }

    /// Blanks, continued lines and a comment.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            if self.eat("\\\n") || self.eat("\\\r\n") {
                continue;
            }
            match self.peek() {
                Some(' ' | '\t' | '\r') => drop(self.next()),
                Some('#') => {
                    let rest = self.rest();
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Blanks, comments and line breaks.
    pub(super) fn skip_lines(&mut self) {
        self.skip_blanks();
        while self.line_break() {
            self.skip_blanks();
        }
    }

    /// Takes a line break, and the bodies of the here-documents that wait for it.
    pub(super) fn line_break(&mut self) -> bool {
        if !self.eat("\n") {
            return false;
        }
        for pending in std::mem::take(&mut self.pending) {
            while !self.rest().is_empty() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.at = (self.at + line.len() + 1).min(self.text.len());
                let line = if pending.tabs { line.trim_start_matches('\t') } else { line };
                if line.trim_end_matches('\r') == pending.delimiter {
                    break;
                }
            }
        }
        true
    }

    /// Runs a step one level deeper.
    pub(super) fn nested<T>(&mut self, step: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        if self.depth >= DEEPEST {
            return Err(NoScript);
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }
}
