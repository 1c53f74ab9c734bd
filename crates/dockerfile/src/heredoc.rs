//! Here-documents of RUN, COPY and ADD.

use crate::lexer::{self, Mode};
use crate::span::Span;

/// A here-document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter without quotes; for COPY and ADD also the name of the file.
    pub name: String,
    /// The lines between, as written, each with its line break.
    pub body: String,
    /// Where the body stands.
    pub body_span: Span,
    /// The body and the line of the delimiter.
    pub span: Span,
    /// Whether variables in the body are expanded: the delimiter stood without quotes.
    pub expand: bool,
    /// Whether leading tabs are taken away: `<<-`.
    pub chomp: bool,
    /// The file descriptor written before `<<`.
    pub descriptor: Option<u32>,
}

impl Heredoc {
    /// The body as the reader gets it: without leading tabs after `<<-`.
    pub fn content(&self) -> String {
        if !self.chomp {
            return self.body.clone();
        }
        self.body.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// What `<<` announces, before the body is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) name: String,
    pub(crate) expand: bool,
    pub(crate) chomp: bool,
    pub(crate) descriptor: Option<u32>,
}

/// The here-documents that a logical line opens, in order.
pub(crate) fn openings(line: &str) -> Vec<Opening> {
    if !line.contains("<<") {
        return Vec::new();
    }
    lexer::raw_words(line, '\\').unwrap_or_default().iter().filter_map(|word| opening(word)).collect()
}

/// Reads `3<<-"EOF"`; nothing when the word opens no here-document.
pub(crate) fn opening(word: &str) -> Option<Opening> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (descriptor, rest) = word.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let words = lexer::words(rest, '\\', Mode::KeepUnset, &|_| None).ok()?;
    let [name] = words.as_slice() else { return None };
    let descriptor = if descriptor.is_empty() { None } else { Some(descriptor.parse().ok()?) };
    Some(Opening { name: name.clone(), expand: name == rest, chomp, descriptor })
}

impl Opening {
    /// Whether a line without its line break ends the here-document.
    pub(crate) fn ends_at(&self, line: &str) -> bool {
        let line = if self.chomp { line.trim_start_matches('\t') } else { line };
        line == self.name
    }
}
