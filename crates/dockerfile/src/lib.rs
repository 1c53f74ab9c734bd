//! Lossless Dockerfile parser and word expansion.
//!
//! [`parse`] never fails: it gives a tree whose items tile the source byte for byte, and all errors at once. Syntax and word expansion
//! are BuildKit's (Dockerfile frontend 1.20 and the labs flags). Nothing here reads a file, a clock or the network.

mod directive;
mod error;
mod flags;
mod heredoc;
mod instruction;
mod lexer;
mod logical;
mod mount;
mod parser;
mod pattern;
mod readers;
mod span;
mod stages;
mod substitution;
mod tree;

pub use directive::Directive;
pub use error::{PARSE_ERROR_CODE, ParseError};
pub use flags::{Flag, FlagKind};
pub use heredoc::Heredoc;
pub use instruction::{Add, Argument, CommandLine, Copy, From, Healthcheck, Instruction, KeyValue, Kind, Onbuild, Run, Script, Source};
pub use lexer::{ExpandError, Lookup, expand, expand_heredoc, expand_words};
pub use mount::{Mount, MountKind, Sharing};
pub use parser::parse;
pub use readers::KEYWORDS;
pub use span::{LineIndex, Span, Word};
pub use stages::{Stage, Stages};
pub use tree::{Comment, Item, Parsed};
