//! Commands in settings: a line for the shell, or program and arguments.

use super::node::{Node, Value};
use super::reader::{Reader, Shaped, rule};
use super::shape::Shape;
use serde_json::Value as Json;

/// A command as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// Program and arguments, at least the program.
    Exec(Vec<String>),
}

impl CommandLine {
    /// What is to be started.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Exec(argv) => argv.clone(),
        }
    }
}

impl std::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Exec(argv) => f.write_str(&argv.join(" ")),
        }
    }
}

impl Default for CommandLine {
    fn default() -> Self {
        Self::Exec(Vec::new())
    }
}

impl Shaped for CommandLine {
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        Shape::Command
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        if let Value::List(items) = &node.value {
            let argv: Vec<String> = items.iter().filter_map(|item| reader.scalar(item, &Shape::Text).map(ToOwned::to_owned)).collect();
            if items.is_empty() {
                reader.wrong(rule::VALUE, &node.origin, "the command is empty", "");
            }
            reader.list(node, Json::from(argv.clone()));
            return Self::Exec(argv);
        }
        let line = reader.scalar(node, &Shape::Command).unwrap_or_default().to_owned();
        if line.trim().is_empty() && node.as_text().is_some() {
            reader.wrong(rule::VALUE, &node.origin, "the command is empty", "");
        }
        reader.list(node, Json::from(line.clone()));
        Self::Shell(line)
    }
}
