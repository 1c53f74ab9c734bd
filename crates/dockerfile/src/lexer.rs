//! Variables, quotes and escapes in words, as BuildKit's shell lexer has them (`frontend/dockerfile/shell`).

use crate::logical;
use crate::pattern::Pattern;
use crate::substitution::Modifier;
use std::fmt;

/// `${a:-${b:-...}}` deeper than this is refused.
const DEEPEST: usize = 64;
/// An expansion longer than this many bytes is refused.
const LONGEST: usize = 64 << 20;

/// Answers a variable's value; nothing when it is not set.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Why a word cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpandError {
    /// A quote that is not closed.
    Unclosed(char),
    /// `${` without its `}`, or `${name/pattern` without its second slash.
    Missing(char),
    /// `${}`, `${:x}` and the like.
    BadSubstitution,
    /// A character behind the name that is no modifier, as written.
    UnsupportedModifier(String),
    /// `${name?message}` of a variable that is not set (or empty, with `:?`).
    Required {
        /// The variable.
        name: String,
        /// What the file's author wrote, or why it is needed.
        message: String,
    },
    /// A backslash in a pattern before something that needs none.
    BadPattern(String),
    /// Substitutions nested too deeply, or a result beyond all measure.
    TooLarge,
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed(quote) => write!(f, "a {quote} is opened and not closed"),
            Self::Missing(what) => write!(f, "a `${{` lacks its `{what}`"),
            Self::BadSubstitution => f.write_str("a `${` has no name behind it"),
            Self::UnsupportedModifier(modifier) => write!(f, "`{modifier}` is no modifier of a variable"),
            Self::Required { name, message } => write!(f, "{name}: {message}"),
            Self::BadPattern(pattern) => write!(f, "the pattern `{pattern}` has a backslash that escapes nothing"),
            Self::TooLarge => f.write_str("the expansion is nested too deeply or grows too long"),
        }
    }
}

impl std::error::Error for ExpandError {}

/// What a variable that is not set becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing.
    Expand,
    /// What was written.
    KeepUnset,
}

/// Expands a word to one string: variables replaced, quotes and escapes taken away, white space kept.
///
/// `escape` is the file's escape character.
///
/// # Errors
/// [`ExpandError`]; what was expanded so far is lost.
pub fn expand(word: &str, escape: char, lookup: &Lookup<'_>) -> Result<String, ExpandError> {
    Ok(Lexer::new(word, escape, Mode::Expand, lookup).process(None, false)?.text)
}

/// Expands a word and splits the result at white space that stands outside quotes, also where a variable brought it.
///
/// # Errors
/// As [`expand`].
pub fn expand_words(word: &str, escape: char, lookup: &Lookup<'_>) -> Result<Vec<String>, ExpandError> {
    words(word, escape, Mode::Expand, lookup)
}

/// Expands the body of an unquoted here-document of COPY or ADD: quotes stay, variables and escapes are worked.
///
/// # Errors
/// As [`expand`].
pub fn expand_heredoc(body: &str, escape: char, lookup: &Lookup<'_>) -> Result<String, ExpandError> {
    let mut lexer = Lexer::new(body, escape, Mode::Expand, lookup);
    lexer.quotes = false;
    Ok(lexer.process(None, false)?.text)
}

pub(crate) fn words(word: &str, escape: char, mode: Mode, lookup: &Lookup<'_>) -> Result<Vec<String>, ExpandError> {
    Ok(Lexer::new(word, escape, mode, lookup).process(None, false)?.finish())
}

/// The words of a line with quotes and escapes left in them; nothing when a quote is not closed.
pub(crate) fn raw_words(line: &str, escape: char) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if logical::is_blank(c) || c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        word.push(c);
        if c == escape && quote != Some('\'') {
            word.extend(chars.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    quote.is_none().then_some(words)
}

/// What was read, as one text and as words.
#[derive(Default)]
struct Output {
    text: String,
    words: Vec<String>,
    word: String,
}

impl Output {
    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.word.push_str(text);
    }

    /// Text whose white space separates words.
    fn split(&mut self, text: &str) {
        self.text.push_str(text);
        for c in text.chars() {
            if !c.is_whitespace() {
                self.word.push(c);
            } else if !self.word.is_empty() {
                self.words.push(std::mem::take(&mut self.word));
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

struct Lexer<'a> {
    rest: std::str::Chars<'a>,
    escape: char,
    mode: Mode,
    quotes: bool,
    lookup: &'a Lookup<'a>,
    depth: usize,
}

impl<'a> Lexer<'a> {
    fn new(word: &'a str, escape: char, mode: Mode, lookup: &'a Lookup<'a>) -> Self {
        Self { rest: word.chars(), escape, mode, quotes: true, lookup, depth: 0 }
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    /// Reads up to the stop character, which is taken, or to the end where there is none.
    fn process(&mut self, stop: Option<char>, keep_escapes: bool) -> Result<Output, ExpandError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ExpandError::TooLarge);
        }
        let mut out = Output::default();
        while let Some(c) = self.peek() {
            if out.text.len() > LONGEST {
                return Err(ExpandError::TooLarge);
            }
            if Some(c) == stop {
                self.rest.next();
                self.depth -= 1;
                return Ok(out);
            }
            match c {
                '$' => out.split(&self.dollar()?),
                '\'' if self.quotes => out.raw(&self.single_quoted()?),
                '"' if self.quotes => out.raw(&self.double_quoted(keep_escapes)?),
                _ => self.plain(&mut out, keep_escapes),
            }
        }
        self.depth -= 1;
        stop.map_or(Ok(out), |stop| Err(ExpandError::Missing(stop)))
    }

    fn plain(&mut self, out: &mut Output, keep_escapes: bool) {
        let Some(c) = self.rest.next() else { return };
        let mut buffer = [0; 4];
        if c != self.escape {
            return out.split(c.encode_utf8(&mut buffer));
        }
        if keep_escapes {
            out.raw(c.encode_utf8(&mut buffer));
        }
        if let Some(escaped) = self.rest.next() {
            out.raw(escaped.encode_utf8(&mut buffer));
        }
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        self.rest.next();
        let (inside, rest) = self.rest.as_str().split_once('\'').ok_or(ExpandError::Unclosed('\''))?;
        self.rest = rest.chars();
        Ok(inside.to_owned())
    }

    fn double_quoted(&mut self, keep_escapes: bool) -> Result<String, ExpandError> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.peek().ok_or(ExpandError::Unclosed('"'))? {
                '"' => {
                    self.rest.next();
                    return Ok(text);
                }
                '$' => text.push_str(&self.dollar()?),
                c if c == self.escape => {
                    self.rest.next();
                    let next = self.peek().ok_or(ExpandError::Unclosed('"'))?;
                    let escapable = next == '"' || next == '$' || next == self.escape;
                    if keep_escapes || !escapable {
                        text.push(c);
                    }
                    if escapable {
                        text.extend(self.rest.next());
                    }
                }
                _ => text.extend(self.rest.next()),
            }
            if text.len() > LONGEST {
                return Err(ExpandError::TooLarge);
            }
        }
    }

    fn dollar(&mut self) -> Result<String, ExpandError> {
        self.rest.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(self.value(&name).unwrap_or_else(|| self.unset(|| format!("${name}"))));
        }
        self.rest.next();
        match self.peek() {
            None => return Err(ExpandError::Missing('}')),
            Some('{' | '}' | ':') => return Err(ExpandError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.rest.next() {
            None => Err(ExpandError::Missing('}')),
            Some('}') => Ok(self.value(&name).unwrap_or_else(|| self.unset(|| format!("${{{name}}}")))),
            Some('/') => self.replacement(&name),
            Some(c) => self.modified(&name, c),
        }
    }

    fn modified(&mut self, name: &str, first: char) -> Result<String, ExpandError> {
        let written =
            if first == ':' { first.to_string() + &self.rest.next().map(String::from).unwrap_or_default() } else { first.to_string() };
        let modifier = Modifier::parse(&written).ok_or_else(|| ExpandError::UnsupportedModifier(written.clone()))?;
        let word = self.process(Some('}'), modifier.is_pattern())?.text;
        let value = self.value(name);
        if value.is_none() && self.mode == Mode::KeepUnset {
            return Ok(format!("${{{name}{written}{word}}}"));
        }
        modifier.apply(name, value, word)
    }

    fn replacement(&mut self, name: &str) -> Result<String, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.rest.next();
        }
        let pattern = self.process(Some('/'), true)?.text;
        let with = self.process(Some('}'), true)?.text;
        match self.value(name) {
            None => Ok(self.unset(|| format!("${{{name}/{pattern}/{with}}}"))),
            Some(value) => Pattern::parse(&pattern)?.replace(&value, &with, all),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
    }

    fn unset(&self, written: impl FnOnce() -> String) -> String {
        if self.mode == Mode::KeepUnset { written() } else { String::new() }
    }

    /// A name; or digits alone; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let text = self.rest.as_str();
        let length = match text.chars().next() {
            Some(c) if c.is_ascii_digit() => text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => 1,
            _ => text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at(length);
        self.rest = rest.chars();
        name.to_owned()
    }
}
