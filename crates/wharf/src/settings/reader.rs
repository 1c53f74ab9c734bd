//! From nodes to typed values: every wrong one is told, and reading goes on.

use super::node::{Node, Origin, Value};
use super::shape::{Field, Shape};
use base::{Finding, Severity};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// The rule codes of findings about settings.
pub(crate) mod rule {
    /// The text is no YAML that can be taken.
    pub(crate) const YAML: &str = "settings-yaml";
    /// A field that does not exist.
    pub(crate) const UNKNOWN: &str = "settings-unknown-field";
    /// A value of the wrong kind.
    pub(crate) const KIND: &str = "settings-wrong-kind";
    /// A value that makes no sense.
    pub(crate) const VALUE: &str = "settings-wrong-value";
    /// A field that is missing.
    pub(crate) const MISSING: &str = "settings-missing-field";
}

/// A setting as `wharf settings` lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its path, such as `images.app-a.context` or `smoke[0].get`.
    pub path: String,
    /// Its value.
    pub value: Json,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Something that a field can hold.
pub(crate) trait Shaped: Default {
    /// Whether the field must be written where it has no default.
    const REQUIRED: bool = false;
    /// Whether it is read from nothing where it is not written, so that the defaults of its fields count.
    const FROM_NOTHING: bool = false;
    /// What it looks like.
    fn shape() -> Shape;
    /// Reads it. What is wrong is told to the reader, and a default stands in for it.
    fn read(node: &Node, reader: &mut Reader) -> Self;
}

/// Collects findings and settings on the way through the nodes.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) findings: Vec<Finding>,
    pub(crate) settings: Vec<Setting>,
    path: String,
}

impl Reader {
    /// Reports something about a value.
    pub(crate) fn wrong(&mut self, rule: &str, origin: &Origin, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::new(rule, Severity::Error, origin.place(&self.path), message).with_help(help));
    }

    /// Lists a value.
    pub(crate) fn list(&mut self, node: &Node, value: Json) {
        self.settings.push(Setting { path: self.path.clone(), value, origin: node.origin.clone() });
    }

    /// Does something one step further down.
    pub(crate) fn below<T>(&mut self, step: &str, act: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        let result = act(self);
        self.path.truncate(length);
        result
    }

    fn expected(&mut self, node: &Node, shape: &Shape) {
        self.wrong(rule::KIND, &node.origin, format!("{} stands here", node.value.name()), format!("write {}", shape.name()));
    }

    /// A scalar as written; anything else is told.
    pub(crate) fn scalar<'n>(&mut self, node: &'n Node, shape: &Shape) -> Option<&'n str> {
        if node.as_text().is_none() {
            self.expected(node, shape);
        }
        node.as_text()
    }

    /// A scalar of a kind of its own.
    pub(crate) fn parsed<T>(&mut self, node: &Node, shape: &Shape, parse: impl FnOnce(&str) -> Option<(T, Json)>) -> Option<T> {
        let text = self.scalar(node, shape)?;
        let Some((value, json)) = parse(text) else {
            let help = match shape {
                Shape::OneOf(words) => base::suggest::closest(text, words.iter().copied()).map(|meant| format!("did you mean `{meant}`?")),
                _ => None,
            };
            self.wrong(rule::VALUE, &node.origin, format!("`{text}` is not {}", shape.name()), help.unwrap_or_default());
            return None;
        };
        self.list(node, json);
        Some(value)
    }

    /// Tells unknown fields and a value that is no map. Nothing at all counts as an empty map.
    pub(crate) fn section(&mut self, node: &Node, fields: &'static [Field]) {
        match &node.value {
            Value::Null => {}
            Value::Map(entries) => {
                for (key, _) in entries.iter().filter(|(key, _)| !fields.iter().any(|field| field.name == key.text)) {
                    let meant = base::suggest::closest(&key.text, fields.iter().map(|field| field.name));
                    let known = || format!("it is {}", Shape::Section(fields).name());
                    let help = meant.map_or_else(known, |meant| format!("did you mean `{meant}`?"));
                    self.wrong(rule::UNKNOWN, &key.origin, format!("there is no field `{}` here", key.text), help);
                }
            }
            Value::Text { .. } | Value::List(_) => self.expected(node, &Shape::Section(fields)),
        }
    }

    /// One field of a section: as written, else its default.
    pub(crate) fn field<T: Shaped>(&mut self, section: &Node, field: &Field) -> T {
        let written = section
            .get(field.name)
            .filter(|node| node.value != Value::Null || matches!((field.shape)(), Shape::Section(_) | Shape::Map(_)));
        self.below(field.name, |reader| match (written, field.default) {
            (Some(node), _) => T::read(node, reader),
            (None, Some(default)) => T::read(&Node::text(default, Origin::Default), reader),
            (None, None) if T::FROM_NOTHING => T::read(&Node::map(Origin::Default), reader),
            (None, None) => {
                if field.required && matches!(section.value, Value::Map(_) | Value::Null) {
                    reader.wrong(
                        rule::MISSING,
                        &section.origin,
                        format!("`{}` is missing", field.name),
                        format!("write {}", (field.shape)().name()),
                    );
                }
                T::default()
            }
        })
    }
}

impl Shaped for String {
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        Shape::Text
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        reader.parsed(node, &Shape::Text, |text| Some((text.to_owned(), Json::from(text)))).unwrap_or_default()
    }
}

impl Shaped for bool {
    fn shape() -> Shape {
        Shape::Switch
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let parse = |text: &str| text.parse::<Self>().ok().map(|value| (value, Json::from(value)));
        reader.parsed(node, &Shape::Switch, parse).unwrap_or_default()
    }
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Shaped for $kind {
            const REQUIRED: bool = true;

            fn shape() -> Shape {
                Shape::Number
            }

            fn read(node: &Node, reader: &mut Reader) -> Self {
                let parse = |text: &str| text.parse::<Self>().ok().map(|value| (value, Json::from(value)));
                reader.parsed(node, &Shape::Number, parse).unwrap_or_default()
            }
        }
    )*};
}

number!(u16, u32, u64);

impl Shaped for Duration {
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        Shape::Duration
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let parse = |text: &str| base::units::parse_duration(text).ok().map(|value| (value, Json::from(text)));
        reader.parsed(node, &Shape::Duration, parse).unwrap_or_default()
    }
}

/// A percentage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percent(pub u32);

impl Shaped for Percent {
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        Shape::Percent
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let number = |text: &str| text.strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        let parse = |text: &str| number(text).map(|value| (Self(value), Json::from(text)));
        reader.parsed(node, &Shape::Percent, parse).unwrap_or_default()
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Shaped for Bytes {
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        Shape::Bytes
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let parse = |text: &str| base::units::parse_bytes(text).ok().map(|value| (Self(value), Json::from(text)));
        reader.parsed(node, &Shape::Bytes, parse).unwrap_or_default()
    }
}

impl<T: Shaped> Shaped for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        Some(T::read(node, reader))
    }
}

impl<T: Shaped> Shaped for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let Value::List(items) = &node.value else {
            reader.expected(node, &Self::shape());
            return Self::new();
        };
        if items.is_empty() {
            reader.list(node, Json::Array(Vec::new()));
        }
        items.iter().enumerate().map(|(index, item)| reader.below(&format!("[{index}]"), |reader| T::read(item, reader))).collect()
    }
}

impl<T: Shaped> Shaped for BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            reader.expected(node, &Self::shape());
        }
        let read = |(key, value): &(super::node::Key, Node)| (key.text.clone(), reader.below(&key.text, |reader| T::read(value, reader)));
        node.entries().iter().map(read).collect()
    }
}
