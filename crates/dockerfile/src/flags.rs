//! The flags of instructions: which exist, and how they are cut from a logical line.

use crate::error::Errors;
use crate::logical::{Logical, is_blank};
use crate::span::Span;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagKind {
    /// A value, once.
    Value,
    /// A value, as often as wanted.
    Values,
    /// Nothing, or `true` or `false`.
    Switch,
}

/// The flags that an instruction knows.
pub(crate) type FlagTable = &'static [(&'static str, FlagKind)];

/// A flag as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Without the dashes.
    pub name: String,
    /// What stands behind the equals sign, quotes and escapes taken away.
    pub value: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// Cuts the flags from the front of `logical.text[start..]`; gives them and where the rest starts.
pub(crate) fn cut(logical: &Logical, start: usize, escape: char) -> (Vec<Flag>, usize) {
    let mut flags = Vec::new();
    let mut at = start;
    loop {
        let rest = logical.text.get(at..).unwrap_or_default();
        let lead = rest.len() - rest.trim_start().len();
        let body = rest.get(lead..).unwrap_or_default();
        if !body.starts_with("--") {
            return (flags, at + lead);
        }
        let (word, length) = word(body, escape);
        let begin = at + lead;
        at = begin + length;
        if word == "--" {
            return (flags, at);
        }
        let word = word.trim_start_matches("--");
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
        flags.push(Flag { name: name.to_owned(), value, span: logical.span(begin, at) });
    }
}

/// The first word without its quotes and escapes, and how many bytes it took.
fn word(text: &str, escape: char) -> (String, usize) {
    let (mut word, mut quote) = (String::new(), None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            None if is_blank(c) || c.is_whitespace() => return (word, at),
            _ if c == escape => word.extend(chars.next().map(|(_, c)| c)),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => word.push(c),
        }
    }
    (word, text.len())
}

/// An instruction's flags, checked against its table.
pub(crate) struct Flags<'a> {
    list: &'a [Flag],
}

impl<'a> Flags<'a> {
    /// Reports unknown, doubled and malformed flags.
    pub(crate) fn check(list: &'a [Flag], table: FlagTable, keyword: &str, errors: &mut Errors<'_>) -> Self {
        for (index, flag) in list.iter().enumerate() {
            let Some((_, kind)) = table.iter().find(|(name, _)| *name == flag.name) else {
                errors.add(flag.span, format!("{keyword} has no flag `--{}`", flag.name), unknown_help(&flag.name, table));
                continue;
            };
            let before = list.get(..index).unwrap_or_default();
            if *kind != FlagKind::Values && before.iter().any(|other| other.name == flag.name) {
                errors.add(flag.span, format!("the flag `--{}` stands here a second time", flag.name), "keep one of them");
            }
            check_value(flag, *kind, errors);
        }
        Self { list }
    }

    pub(crate) fn flag(&self, name: &str) -> Option<&'a Flag> {
        self.list.iter().find(|flag| flag.name == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.flag(name).and_then(|flag| flag.value.clone())
    }

    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &'a Flag> {
        self.list.iter().filter(move |flag| flag.name == name)
    }

    pub(crate) fn values(&self, name: &'static str) -> Vec<String> {
        self.all(name).filter_map(|flag| flag.value.clone()).collect()
    }

    pub(crate) fn switch(&self, name: &str) -> bool {
        self.flag(name).is_some_and(|flag| !flag.value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("false")))
    }
}

fn check_value(flag: &Flag, kind: FlagKind, errors: &mut Errors<'_>) {
    match (&flag.value, kind) {
        (None, FlagKind::Value | FlagKind::Values) => {
            errors.add(flag.span, format!("the flag `--{}` lacks its value", flag.name), format!("write `--{}=VALUE`", flag.name));
        }
        (Some(value), FlagKind::Switch) if !["", "true", "false"].contains(&value.to_lowercase().as_str()) => {
            errors.add(flag.span, format!("the flag `--{}` takes true or false, not `{value}`", flag.name), "");
        }
        _ => {}
    }
}

fn unknown_help(name: &str, table: FlagTable) -> String {
    if let Some(meant) = base::suggest::closest(name, table.iter().map(|(name, _)| *name)) {
        return format!("did you mean `--{meant}`?");
    }
    let names: Vec<String> = table.iter().map(|(name, _)| format!("`--{name}`")).collect();
    if names.is_empty() { "it takes no flags".to_owned() } else { format!("it knows {}", names.join(", ")) }
}
