//! The tree: items that tile the source.

use crate::directive::Directive;
use crate::error::ParseError;
use crate::instruction::Instruction;
use crate::span::{LineIndex, Span};

/// A comment outside instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// What stands behind the `#`, white space around it taken away.
    pub text: String,
    /// The whole line with its line break.
    pub span: Span,
    /// The line, from 1.
    pub line: u32,
}

/// A part of the file. The spans of a file's items follow each other without gap or overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Nothing but white space, or a continuation of nothing.
    Blank(Span),
    /// A comment.
    Comment(Comment),
    /// A parser directive.
    Directive(Directive),
    /// An instruction; boxed because it is much larger than the rest.
    Instruction(Box<Instruction>),
}

impl Item {
    /// Its place, line breaks included.
    pub fn span(&self) -> Span {
        match self {
            Self::Blank(span) => *span,
            Self::Comment(comment) => comment.span,
            Self::Directive(directive) => directive.span,
            Self::Instruction(instruction) => instruction.span,
        }
    }
}

/// A Dockerfile as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The source that all spans point into.
    pub source: String,
    /// Everything that stands in it, in order.
    pub items: Vec<Item>,
    /// Comments inside instructions, between continued lines.
    pub inner_comments: Vec<Comment>,
    /// The escape character: a backslash, or a backtick where the directive says so.
    pub escape: char,
    /// All that is wrong, in the source's order. Empty: it can be built as far as its syntax goes.
    pub errors: Vec<ParseError>,
    /// Where the lines start.
    pub lines: LineIndex,
}

impl Parsed {
    /// The instructions in order.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.items.iter().filter_map(|item| match item {
            Item::Instruction(instruction) => Some(&**instruction),
            _ => None,
        })
    }

    /// All comments, also those inside instructions, in the source's order.
    pub fn comments(&self) -> Vec<&Comment> {
        let outer = self.items.iter().filter_map(|item| match item {
            Item::Comment(comment) => Some(comment),
            _ => None,
        });
        let mut all: Vec<&Comment> = outer.chain(&self.inner_comments).collect();
        all.sort_by_key(|comment| comment.span);
        all
    }

    /// The value of a parser directive.
    pub fn directive(&self, name: &str) -> Option<&str> {
        self.items.iter().find_map(|item| match item {
            Item::Directive(directive) if directive.name == name => Some(directive.value.text.as_str()),
            _ => None,
        })
    }

    /// The source again, put together from the items.
    pub fn to_source(&self) -> String {
        self.items.iter().map(|item| item.span().of(&self.source)).collect()
    }

    /// Line and column (in characters) of a byte offset, both from 1.
    pub fn locate(&self, offset: usize) -> (u32, u32) {
        self.lines.locate(&self.source, offset)
    }
}
