//! What is wrong with a Dockerfile, and the list that collects it.

use crate::span::{LineIndex, Span};
use base::{Finding, Place, Severity};
use std::fmt;

/// Past this many, the rest of the errors is counted and not kept.
const MOST_ERRORS: usize = 100;

/// The rule code under which parse errors are reported, hadolint's own.
pub const PARSE_ERROR_CODE: &str = "DL1000";

/// One thing that the parser could not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where in the source.
    pub span: Span,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do; empty where the message says it.
    pub help: String,
}

impl ParseError {
    /// The error as a finding of that file.
    pub fn finding(&self, file: &str) -> Finding {
        Finding::new(PARSE_ERROR_CODE, Severity::Error, Place::in_file(file, self.line, self.column), &self.message).with_help(&self.help)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

/// Collects errors while a source is read.
pub(crate) struct Errors<'a> {
    source: &'a str,
    index: LineIndex,
    list: Vec<ParseError>,
    unlisted: usize,
}

impl<'a> Errors<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, index: LineIndex::new(source), list: Vec::new(), unlisted: 0 }
    }

    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        if self.is_full() {
            self.unlisted += 1;
            return;
        }
        let (line, column) = self.index.locate(self.source, span.start);
        self.list.push(ParseError { span, line, column, message: message.into(), help: help.into() });
    }

    /// Whether further errors are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST_ERRORS
    }

    pub(crate) fn line(&self, offset: usize) -> u32 {
        self.index.line(offset)
    }

    pub(crate) fn finish(mut self) -> (LineIndex, Vec<ParseError>) {
        self.list.sort_by_key(|error| error.span);
        if let (Some(last), true) = (self.list.last().cloned(), self.unlisted > 0) {
            let message = format!("and {} more errors", self.unlisted);
            self.list.push(ParseError { message, help: String::new(), ..last });
        }
        (self.index, self.list)
    }
}
