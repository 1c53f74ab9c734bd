//! The instructions' readers: one line each in [`TABLE`], from a logical line to a typed instruction.

mod commands;
mod files;
mod pairs;
mod stage;

use crate::error::Errors;
use crate::flags::{self, FlagKind, FlagTable, Flags};
use crate::heredoc::Heredoc;
use crate::instruction::{CommandLine, Instruction, Kind};
use crate::logical::{Logical, is_blank};
use crate::span::{Span, Word};

/// An instruction that the parser knows.
struct Entry {
    keyword: &'static str,
    flags: FlagTable,
    read: fn(&mut Reader<'_, '_>) -> Option<Kind>,
}

const fn entry(keyword: &'static str, flags: FlagTable, read: fn(&mut Reader<'_, '_>) -> Option<Kind>) -> Entry {
    Entry { keyword, flags, read }
}

const COPY_FLAGS: FlagTable = &[
    ("from", FlagKind::Value),
    ("chown", FlagKind::Value),
    ("chmod", FlagKind::Value),
    ("link", FlagKind::Switch),
    ("parents", FlagKind::Switch),
    ("exclude", FlagKind::Values),
];
const ADD_FLAGS: FlagTable = &[
    ("chown", FlagKind::Value),
    ("chmod", FlagKind::Value),
    ("link", FlagKind::Switch),
    ("exclude", FlagKind::Values),
    ("checksum", FlagKind::Value),
    ("keep-git-dir", FlagKind::Switch),
    ("unpack", FlagKind::Switch),
];
const RUN_FLAGS: FlagTable =
    &[("mount", FlagKind::Values), ("network", FlagKind::Value), ("security", FlagKind::Value), ("device", FlagKind::Values)];
const HEALTHCHECK_FLAGS: FlagTable = &[
    ("interval", FlagKind::Value),
    ("timeout", FlagKind::Value),
    ("start-period", FlagKind::Value),
    ("start-interval", FlagKind::Value),
    ("retries", FlagKind::Value),
];

const TABLE: [Entry; 18] = [
    entry("FROM", &[("platform", FlagKind::Value)], stage::from),
    entry("RUN", RUN_FLAGS, commands::run),
    entry("CMD", &[], commands::cmd),
    entry("ENTRYPOINT", &[], commands::entrypoint),
    entry("COPY", COPY_FLAGS, files::copy),
    entry("ADD", ADD_FLAGS, files::add),
    entry("ENV", &[], pairs::env),
    entry("LABEL", &[], pairs::label),
    entry("ARG", &[], pairs::arg),
    entry("EXPOSE", &[], pairs::expose),
    entry("VOLUME", &[], files::volume),
    entry("USER", &[], stage::user),
    entry("WORKDIR", &[], stage::workdir),
    entry("STOPSIGNAL", &[], stage::stopsignal),
    entry("SHELL", &[], commands::shell),
    entry("HEALTHCHECK", HEALTHCHECK_FLAGS, commands::healthcheck),
    entry("ONBUILD", &[], stage::onbuild),
    entry("MAINTAINER", &[], stage::maintainer),
];

/// The keywords of all instructions, in upper case.
pub const KEYWORDS: [&str; TABLE.len()] = {
    let mut keywords = [""; TABLE.len()];
    let mut index = 0;
    while index < TABLE.len() {
        keywords[index] = TABLE[index].keyword;
        index += 1;
    }
    keywords
};

/// Everything that a reader of one instruction needs; the range is that of the arguments behind the flags.
pub(crate) struct Reader<'r, 's> {
    logical: &'r Logical,
    start: usize,
    end: usize,
    keyword: &'r Word,
    /// Whether this instruction stands inside an `ONBUILD`.
    nested: bool,
    escape: char,
    checked: Flags<'r>,
    heredocs: &'r [Heredoc],
    errors: &'r mut Errors<'s>,
}

/// Reads the instruction that a logical line holds.
pub(crate) fn read(logical: &Logical, span: Span, heredocs: Vec<Heredoc>, escape: char, errors: &mut Errors<'_>) -> Instruction {
    read_from(logical, 0, span, heredocs, escape, errors)
}

/// The same for the part from `start` on; a start that is not 0 means inside an `ONBUILD`.
fn read_from(logical: &Logical, start: usize, span: Span, heredocs: Vec<Heredoc>, escape: char, errors: &mut Errors<'_>) -> Instruction {
    let (begin, end) = logical.trim(start, logical.text.len());
    let keyword_end = keyword_end(logical, begin);
    let keyword = logical.word(begin, keyword_end);
    let known = TABLE.iter().find(|entry| keyword.text.eq_ignore_ascii_case(entry.keyword));
    let (cut, after) = if known.is_some() { flags::cut(logical, keyword_end, escape) } else { (Vec::new(), keyword_end) };
    let (first, last) = logical.trim(after.min(end), end);
    let arguments = logical.word(first, last);
    let kind = known.and_then(|entry| {
        let checked = Flags::check(&cut, entry.flags, entry.keyword, errors);
        let nested = start > 0;
        let mut reader =
            Reader { logical, start: first, end: last, keyword: &keyword, nested, escape, checked, heredocs: &heredocs, errors };
        (entry.read)(&mut reader)
    });
    if known.is_none() {
        unknown(&keyword, errors);
    }
    let line = errors.line(keyword.span.start);
    let text = logical.text.get(begin..end).unwrap_or_default().to_owned();
    Instruction { keyword, span, line, text, arguments, flags: cut, heredocs, kind: kind.unwrap_or(Kind::Invalid) }
}

/// Whether the line is a RUN, COPY or ADD (also behind ONBUILD) that does not stand in JSON form.
pub(crate) fn takes_heredocs(logical: &Logical, escape: char) -> bool {
    let (mut begin, end) = logical.trim(0, logical.text.len());
    let word = |begin: usize| (keyword_end(logical, begin), logical.text.get(begin..keyword_end(logical, begin)).unwrap_or_default());
    let (mut after, mut keyword) = word(begin);
    if keyword.eq_ignore_ascii_case("ONBUILD") {
        begin = logical.trim(after, end).0;
        (after, keyword) = word(begin);
    }
    let takes = ["RUN", "COPY", "ADD"].iter().any(|known| keyword.eq_ignore_ascii_case(known));
    let arguments = || logical.text.get(flags::cut(logical, after, escape).1..end).unwrap_or_default();
    takes && logical.text.contains("<<") && !matches!(json(arguments()), Json::Strings(_))
}

fn keyword_end(logical: &Logical, begin: usize) -> usize {
    let rest = logical.text.get(begin..).unwrap_or_default();
    begin + rest.find(is_blank).unwrap_or(rest.len())
}

fn unknown(keyword: &Word, errors: &mut Errors<'_>) {
    if errors.is_full() {
        return errors.add(keyword.span, "", "");
    }
    let shown: String = keyword.text.chars().take(40).collect();
    let help = match base::suggest::closest(&keyword.text, KEYWORDS) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a line that belongs to the one above needs an escape character at the end of that one".to_owned(),
    };
    errors.add(keyword.span, format!("`{shown}` is no instruction"), help);
}

/// What stands in a text that may be a JSON array of strings.
pub(crate) enum Json {
    /// It is one.
    Strings(Vec<String>),
    /// It is an array with something else in it, which nobody means.
    Mixed,
    /// It is something else: a line for the shell, or plain words.
    Other,
}

pub(crate) fn json(text: &str) -> Json {
    if !text.trim_start().starts_with('[') {
        return Json::Other;
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Json::Other };
    let strings: Option<Vec<String>> = values.into_iter().map(|value| value.as_str().map(ToOwned::to_owned)).collect();
    strings.map_or(Json::Mixed, Json::Strings)
}

impl Reader<'_, '_> {
    fn text(&self) -> &str {
        self.logical.text.get(self.start..self.end).unwrap_or_default()
    }

    fn span(&self) -> Span {
        if self.start == self.end { self.keyword.span } else { self.logical.span(self.start, self.end) }
    }

    fn whole(&self) -> Word {
        self.logical.word(self.start, self.end)
    }

    /// Words separated by white space alone.
    fn words(&self) -> Vec<Word> {
        self.logical.split(self.start, self.end)
    }

    fn name(&self) -> String {
        self.keyword.text.to_uppercase()
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.errors.add(span, message, help);
    }

    /// The whole rest, which must not be empty.
    fn required(&mut self, what: &str) -> Option<Word> {
        if self.start == self.end {
            self.wrong(self.keyword.span, format!("{} lacks {what}", self.name()), "");
            return None;
        }
        Some(self.whole())
    }

    /// The rest in one of the two forms of a command.
    fn command(&mut self) -> Option<CommandLine> {
        match json(self.text()) {
            Json::Strings(strings) => Some(CommandLine::Exec(strings)),
            Json::Other => Some(CommandLine::Shell(self.whole())),
            Json::Mixed => {
                self.mixed();
                None
            }
        }
    }

    /// The rest as a list, in JSON or by white space.
    fn list(&mut self) -> Option<Vec<Word>> {
        let span = self.span();
        match json(self.text()) {
            Json::Strings(strings) => Some(strings.into_iter().map(|text| Word::new(text, span)).collect()),
            Json::Other => Some(self.words()),
            Json::Mixed => {
                self.mixed();
                None
            }
        }
    }

    fn mixed(&mut self) {
        let span = self.span();
        self.wrong(span, "the JSON form takes strings only", "put each argument in double quotes");
    }
}
