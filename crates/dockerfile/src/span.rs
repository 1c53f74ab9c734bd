//! Places in the source: byte ranges, and the lines and columns that people read.

/// A range of bytes of the source; both ends lie on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// What the source holds there; empty when the span is not of this source.
    pub fn of(self, source: &str) -> &str {
        source.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether the byte offset lies inside.
    pub const fn contains(self, offset: usize) -> bool {
        self.start <= offset && offset < self.end
    }
}

/// A piece of an instruction with continuations taken out, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The text, quotes and escapes still in it.
    pub text: String,
    /// Where it stands in the source; continuations inside are covered too.
    pub span: Span,
}

impl Word {
    /// A text with its place.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }
}

/// Turns byte offsets into lines and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// Finds where the lines of a source start.
    pub fn new(source: &str) -> Self {
        let after_breaks = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The line of a byte offset, from 1.
    pub fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Line and column (in characters) of a byte offset of `source`, both from 1.
    pub fn locate(&self, source: &str, offset: usize) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.start_of_line(line).unwrap_or(0);
        let before = source.get(start..offset.min(source.len())).unwrap_or_default();
        (line, u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX))
    }

    /// Where a line (from 1) starts.
    pub fn start_of_line(&self, line: u32) -> Option<usize> {
        let line = usize::try_from(line).ok()?;
        self.starts.get(line.checked_sub(1)?).copied()
    }
}
