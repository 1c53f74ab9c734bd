//! A logical line: what several physical lines say together, and where each of its bytes came from.

use crate::span::{Span, Word};

/// The white space that separates an instruction's words; a line break cannot occur in a logical line.
pub(crate) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

/// Text with continuations taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logical {
    pub(crate) text: String,
    /// (offset in `text`, offset in the source), ascending.
    pieces: Vec<(usize, usize)>,
}

impl Logical {
    /// Appends what stands in the source at `start`.
    pub(crate) fn push(&mut self, text: &str, start: usize) {
        self.pieces.push((self.text.len(), start));
        self.text.push_str(text);
    }

    /// Where the byte of the text stands in the source.
    pub(crate) fn source_offset(&self, offset: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        self.pieces.get(piece).map_or(0, |(start, source)| source + (offset - start))
    }

    /// The source span of a range of the text. The end is one past the last byte, so that no continuation is swallowed.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let first = self.source_offset(start);
        Span::new(first, if end > start { self.source_offset(end - 1) + 1 } else { first })
    }

    /// A range of the text as a word.
    pub(crate) fn word(&self, start: usize, end: usize) -> Word {
        Word::new(self.text.get(start..end).unwrap_or_default(), self.span(start, end))
    }

    /// The range without white space around it.
    pub(crate) fn trim(&self, start: usize, end: usize) -> (usize, usize) {
        let text = self.text.get(start..end).unwrap_or_default();
        let lead = text.len() - text.trim_start().len();
        let trimmed = text.trim().len();
        (start + lead, start + lead + trimmed)
    }

    /// The range's words, separated by white space alone: quotes mean nothing here.
    pub(crate) fn split(&self, start: usize, end: usize) -> Vec<Word> {
        let text = self.text.get(start..end).unwrap_or_default();
        let mut words = Vec::new();
        let mut from = None;
        for (at, c) in text.char_indices().chain(std::iter::once((text.len(), ' '))) {
            match (is_blank(c), from) {
                (false, None) => from = Some(at),
                (true, Some(begin)) => {
                    words.push(self.word(start + begin, start + at));
                    from = None;
                }
                _ => {}
            }
        }
        words
    }
}
