//! A YAML document as values that know where they stand.

use base::Place;
use std::sync::Arc;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// There is no `wharf.yaml`: it was seen in the folder.
    Inferred,
    /// A line and column (from 1) of a file.
    File {
        /// The file's name as shown to people.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// `--set`, as written.
    CommandLine(Arc<str>),
}

impl Origin {
    /// The place that a finding about the value points at.
    pub fn place(&self, field: &str) -> Place {
        let field = (!field.is_empty()).then(|| field.to_owned());
        match self {
            Self::File { file, line, column } => Place { field, ..Place::in_file(&**file, *line, *column) },
            Self::CommandLine(text) => Place { file: Some(format!("--set {text}")), field, ..Place::default() },
            Self::Default | Self::Inferred => Place { field, ..Place::default() },
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Inferred => f.write_str("inferred from the folder"),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::CommandLine(text) => write!(f, "--set {text}"),
        }
    }
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

/// A key with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) origin: Origin,
    pub(crate) text: String,
}

/// What a node holds. Scalars stay as written: the field decides what they mean, so that `1.10` can be a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar; `plain` when it stands without quotes.
    Text { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys in the order of the file, each once.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text { .. } => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    pub(crate) fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self { origin, value: Value::Text { text: text.into(), plain: true } }
    }

    pub(crate) fn map(origin: Origin) -> Self {
        Self { origin, value: Value::Map(Vec::new()) }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(known, _)| known.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(crate) fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}
