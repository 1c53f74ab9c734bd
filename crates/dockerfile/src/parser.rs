//! From source text to items: physical lines, continuations, comments and here-documents.

use crate::directive::DirectiveReader;
use crate::error::Errors;
use crate::heredoc::{self, Heredoc};
use crate::instruction::{Instruction, Kind};
use crate::logical::Logical;
use crate::readers::{self, KEYWORDS};
use crate::span::Span;
use crate::tree::{Comment, Item, Parsed};

/// After this many here-documents without an end, the next one takes all the rest: looking ahead for each would cost the square.
const MOST_UNCLOSED: usize = 16;

/// Reads a Dockerfile. Never fails: what is wrong stands in [`Parsed::errors`], and all the rest is read nevertheless.
pub fn parse(source: &str) -> Parsed {
    let mut parser =
        Parser { source, at: 0, directives: DirectiveReader::new(), errors: Errors::new(source), inner_comments: Vec::new(), unclosed: 0 };
    let mut items = Vec::new();
    while let Some(line) = parser.next_line() {
        items.push(parser.item(line));
    }
    check_order(source, &items, &mut parser.errors);
    let escape = parser.directives.escape;
    let (lines, errors) = parser.errors.finish();
    Parsed { source: source.to_owned(), items, inner_comments: parser.inner_comments, escape, errors, lines }
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    directives: DirectiveReader,
    errors: Errors<'a>,
    inner_comments: Vec<Comment>,
    unclosed: usize,
}

impl<'a> Parser<'a> {
    /// The next physical line with its line break.
    fn next_line(&mut self) -> Option<Span> {
        let rest = self.source.get(self.at..)?;
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let span = Span::new(self.at, self.at + length);
        self.at = span.end;
        Some(span)
    }

    /// A line without its line break.
    fn text(&self, line: Span) -> &'a str {
        self.source.get(line.start..line.end).unwrap_or_default().trim_end_matches(['\r', '\n'])
    }

    fn item(&mut self, line: Span) -> Item {
        let whole = self.text(line);
        let text = if line.start == 0 { whole.trim_start_matches('\u{feff}') } else { whole };
        if let Some(directive) = self.directives.read(text, line, &mut self.errors) {
            return Item::Directive(directive);
        }
        if is_comment(text) {
            return Item::Comment(self.comment(line));
        }
        self.directives.close();
        let trimmed = text.trim_start();
        let start = line.start + (whole.len() - trimmed.len());
        let (body, continued) = self.without_continuation(trimmed);
        if body.trim().is_empty() {
            return Item::Blank(line);
        }
        let mut logical = Logical::default();
        logical.push(body, start);
        let mut end = line.end;
        if continued {
            end = self.continuation(&mut logical).unwrap_or(end);
        }
        Item::Instruction(Box::new(self.instruction(&logical, Span::new(line.start, end))))
    }

    fn comment(&self, line: Span) -> Comment {
        let text = self.text(line).trim_start_matches('\u{feff}').trim_start().trim_start_matches('#').trim();
        Comment { text: text.to_owned(), span: line, line: self.errors.line(line.start) }
    }

    /// The line without an escape character at its end, and whether there was one; a doubled one escapes itself.
    fn without_continuation<'t>(&self, text: &'t str) -> (&'t str, bool) {
        let escape = self.directives.escape;
        match text.trim_end_matches([' ', '\t']).strip_suffix(escape) {
            Some(body) if !body.ends_with(escape) => (body, true),
            _ => (text, false),
        }
    }

    /// Appends the lines that continue the instruction; comments and empty lines between them do not end it.
    fn continuation(&mut self, logical: &mut Logical) -> Option<usize> {
        let mut end = None;
        while let Some(line) = self.next_line() {
            end = Some(line.end);
            let text = self.text(line);
            if is_comment(text) {
                let comment = self.comment(line);
                self.inner_comments.push(comment);
                continue;
            }
            if text.trim().is_empty() {
                continue;
            }
            let (body, continued) = self.without_continuation(text);
            logical.push(body, line.start);
            if !continued {
                break;
            }
        }
        end
    }

    fn instruction(&mut self, logical: &Logical, mut span: Span) -> Instruction {
        let heredocs =
            if readers::takes_heredocs(logical, self.directives.escape) { self.heredocs(&logical.text, span) } else { Vec::new() };
        span.end = self.at.max(span.end);
        readers::read(logical, span, heredocs, self.directives.escape, &mut self.errors)
    }

    fn heredocs(&mut self, line: &str, opener: Span) -> Vec<Heredoc> {
        heredoc::openings(line).into_iter().map(|opening| self.heredoc(opening, opener)).collect()
    }

    fn heredoc(&mut self, opening: heredoc::Opening, opener: Span) -> Heredoc {
        let start = self.at;
        let mut next_instruction = None;
        let mut body_end = None;
        while let Some(line) = self.next_line() {
            let text = self.text(line);
            if opening.ends_at(text) {
                body_end = Some(line.start);
                break;
            }
            if next_instruction.is_none() && looks_like_instruction(text) {
                next_instruction = Some(line.start);
            }
        }
        let body_end = body_end.unwrap_or_else(|| self.unclosed_heredoc(&opening.name, opener, next_instruction));
        let body_span = Span::new(start, body_end);
        let body = body_span.of(self.source).to_owned();
        let span = Span::new(start, self.at);
        let heredoc::Opening { name, expand, chomp, descriptor } = opening;
        Heredoc { name, body, body_span, span, expand, chomp, descriptor }
    }

    /// Reports it, and goes on at the next line that looks like an instruction, so that nothing behind is hidden.
    fn unclosed_heredoc(&mut self, name: &str, opener: Span, next_instruction: Option<usize>) -> usize {
        let shown = Span::new(opener.start, opener.start + self.text(opener).len());
        self.errors.add(
            shown,
            format!("the here-document `{name}` is not closed"),
            format!("end it with a line that holds `{name}` alone"),
        );
        self.unclosed += 1;
        self.at = next_instruction.filter(|_| self.unclosed <= MOST_UNCLOSED).unwrap_or(self.at);
        self.at
    }
}

/// A keyword in upper case and a space: what nobody writes in the middle of a script.
fn looks_like_instruction(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(word, _)| KEYWORDS.contains(&word))
}

fn is_comment(text: &str) -> bool {
    text.trim_start().starts_with('#')
}

/// What stands before the first `FROM`, and whether there is one.
fn check_order(source: &str, items: &[Item], errors: &mut Errors<'_>) {
    let instructions = items.iter().filter_map(|item| match item {
        Item::Instruction(instruction) => Some(instruction),
        _ => None,
    });
    let mut seen_from = false;
    for instruction in instructions {
        let is_from = instruction.keyword.text.eq_ignore_ascii_case("FROM");
        seen_from |= is_from;
        if !seen_from && !matches!(instruction.kind, Kind::Arg(_) | Kind::Invalid) {
            let message = format!("{} stands before the first FROM", instruction.keyword.text.to_uppercase());
            errors.add(instruction.keyword.span, message, "only ARG may stand there");
        }
    }
    if !seen_from {
        errors.add(Span::new(source.len(), source.len()), "there is no FROM", "begin with `FROM IMAGE`, or `FROM scratch`");
    }
}
