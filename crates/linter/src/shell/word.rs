//! Words of a script: quotes taken away, substitutions kept as written and searched for commands.

use super::cursor::{Cursor, NoScript, Step};
use super::grammar;

/// A word and whether any part of it stood in quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Characters that end a word outside quotes.
const fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>')
}

impl Cursor<'_> {
    /// The word that starts here; nothing when none does.
    pub(super) fn word(&mut self) -> Step<Option<Word>> {
        let mut word = Word::default();
        let start = self.position();
        while let Some(c) = self.peek() {
            match c {
                '<' | '>' if self.position() == start && self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) => {
                    self.next();
                    self.next();
                    self.nested(|cursor| grammar::list_until(cursor, ")"))?;
                    word.text.push_str(self.since(start));
                }
                '(' if is_array(&word.text) => word.text.push_str(&self.array()?),
                c if ends_word(c) => break,
                '\'' => {
                    self.next();
                    word.text.push_str(&self.single_quoted()?);
                    word.quoted = true;
                }
                '"' => {
                    self.next();
                    word.text.push_str(&self.double_quoted()?);
                    word.quoted = true;
                }
                '\\' => {
                    self.next();
                    word.quoted = true;
                    word.text.extend(self.next().filter(|c| *c != '\n'));
                }
                '$' if self.rest().starts_with("$'") || self.rest().starts_with("$\"") => drop(self.next()),
                '$' | '`' => word.text.push_str(&self.substitution()?),
                _ => word.text.extend(self.next()),
            }
        }
        Ok((self.position() > start).then_some(word))
    }

    fn single_quoted(&mut self) -> Step<String> {
        let start = self.position();
        let length = self.rest().find('\'').ok_or(NoScript)?;
        self.go_to(start + length);
        let text = self.since(start).to_owned();
        self.next();
        Ok(text)
    }

    fn double_quoted(&mut self) -> Step<String> {
        let mut text = String::new();
        loop {
            match self.peek().ok_or(NoScript)? {
                '"' => {
                    self.next();
                    return Ok(text);
                }
                '\\' => {
                    self.next();
                    match self.next().ok_or(NoScript)? {
                        '\n' => {}
                        c @ ('"' | '\\' | '$' | '`') => text.push(c),
                        c => text.extend(['\\', c]),
                    }
                }
                '$' | '`' => text.push_str(&self.substitution()?),
                _ => text.extend(self.next()),
            }
        }
    }

    /// `$x`, `${..}`, `$(..)`, `$((..))` or backquotes, as written.
    pub(super) fn substitution(&mut self) -> Step<String> {
        let start = self.position();
        if self.eat("`") {
            self.backquoted()?;
        } else if self.eat("$((") {
            self.arithmetic(start)?;
        } else if self.eat("$(") {
            self.nested(|cursor| grammar::list_until(cursor, ")"))?;
        } else if self.eat("${") {
            self.nested(Self::braced)?;
        } else {
            self.next();
        }
        Ok(self.since(start).to_owned())
    }

    fn backquoted(&mut self) -> Step<()> {
        let mut inside = String::new();
        loop {
            match self.next().ok_or(NoScript)? {
                '`' => break,
                '\\' => match self.next().ok_or(NoScript)? {
                    c @ ('`' | '\\' | '$') => inside.push(c),
                    c => inside.extend(['\\', c]),
                },
                c => inside.push(c),
            }
        }
        self.nested(|cursor| {
            let script = grammar::parse(&inside)?;
            cursor.found.commands.extend(script.commands);
            cursor.found.pipes |= script.pipes;
            Ok(())
        })
    }

    /// `$((` was read: an expression, or a substitution that starts with a subshell.
    fn arithmetic(&mut self, start: usize) -> Step<()> {
        if self.skip_double_parenthesis() {
            return Ok(());
        }
        self.go_to(start + 2);
        self.nested(|cursor| grammar::list_until(cursor, ")"))
    }

    /// Behind `((`: goes behind the `))` that closes it, if there is one.
    pub(super) fn skip_double_parenthesis(&mut self) -> bool {
        let mut open = 0usize;
        while let Some(c) = self.next() {
            match c {
                '(' => open += 1,
                ')' if open > 0 => open -= 1,
                ')' => return self.eat(")"),
                _ => {}
            }
        }
        false
    }

    /// Behind `${`: up to its `}`; quotes and substitutions inside count.
    fn braced(&mut self) -> Step<()> {
        loop {
            match self.peek().ok_or(NoScript)? {
                '}' => {
                    self.next();
                    return Ok(());
                }
                '$' | '`' => drop(self.nested(Self::substitution)?),
                '"' => {
                    self.next();
                    self.nested(Self::double_quoted)?;
                }
                '\\' => {
                    self.next();
                    self.next();
                }
                _ => drop(self.next()),
            }
        }
    }

    /// `(a b c)` behind `name=`.
    fn array(&mut self) -> Step<String> {
        let start = self.position();
        self.expect("(")?;
        loop {
            self.skip_lines();
            if self.eat(")") {
                return Ok(self.since(start).to_owned());
            }
            self.nested(Self::word)?.ok_or(NoScript)?;
        }
    }
}

fn is_array(text: &str) -> bool {
    text.strip_suffix('=').is_some_and(|name| is_name(name.trim_end_matches('+')))
}

/// A variable's name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
