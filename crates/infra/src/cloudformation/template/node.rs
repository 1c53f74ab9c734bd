//! YAML with CloudFormation's short functions: `!Ref X` becomes `{Ref: X}`, so that the long and the short way read alike.

use saphyr_parser::{Event, Parser, Tag};
use std::borrow::Cow;
use std::collections::HashMap;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What it is.
    pub value: Value,
}

/// What a value is. Scalars stay as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, number or switch.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in order.
    Map(Vec<(Node, Node)>),
}

const DEEPEST: usize = 64;
const LONGEST: usize = 1 << 20;
/// Nodes that aliases may add up to.
const MOST_ALIASED: usize = 10_000;

impl Node {
    /// A scalar's text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// A map's value.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.text() == Some(name)).map(|(_, node)| node)
    }

    /// A map's entries; none of what is no map.
    pub fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Text(_) | Value::List(_) => &[],
        }
    }

    /// A list's items; none of what is no list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Text(_) | Value::Map(_) => &[],
        }
    }

    /// Whether a map in it has such a key; depth is bounded by the reader.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.value {
            Value::Text(_) => false,
            Value::List(items) => items.iter().any(|item| item.has(name)),
            Value::Map(entries) => entries.iter().any(|(key, node)| key.text() == Some(name) || node.has(name)),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Text(_) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(key, node)| key.size() + node.size()).sum(),
        }
    }
}

/// A list or map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Node>,
    function: Option<String>,
}

#[derive(Default)]
struct Loader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    root: Option<Node>,
}

type Wrong = (u32, u32, String);

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    if text.len() > LONGEST {
        return Err((1, 1, "the file is longer than 1 MiB".to_owned()));
    }
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            (number(marker.line()), number(marker.col() + 1), format!("this is no YAML: {}", error.info()))
        })?;
        loader.event(event, number(span.start.line()), number(span.start.col() + 1))?;
    }
    loader.root.ok_or_else(|| (1, 1, "the template is empty".to_owned()))
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The function that a tag of one exclamation mark stands for.
fn function(tag: Option<&Cow<'_, Tag>>) -> Option<String> {
    let tag = tag.filter(|tag| tag.handle == "!")?;
    Some(if matches!(tag.suffix.as_str(), "Ref" | "Condition") { tag.suffix.clone() } else { format!("Fn::{}", tag.suffix) })
}

impl Loader {
    fn event(&mut self, event: Event<'_>, line: u32, column: u32) -> Result<(), Wrong> {
        let at = |value| Node { line, column, value };
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err((line, column, "a second document begins here".to_owned())),
            Event::Scalar(text, _, anchor, tag) => {
                let function = function(tag.as_ref());
                self.add(at(Value::Text(text.into_owned())), anchor, function)
            }
            Event::SequenceStart(anchor, tag) => self.start(at(Value::List(Vec::new())), anchor, function(tag.as_ref())),
            Event::MappingStart(anchor, tag) => self.start(at(Value::Map(Vec::new())), anchor, function(tag.as_ref())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node, open.anchor, open.function),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let mut node = node.ok_or_else(|| (line, column, "an alias stands inside its own anchor".to_owned()))?;
                self.aliased += node.size();
                if self.aliased > MOST_ALIASED {
                    return Err((line, column, "aliases unfold into too many values".to_owned()));
                }
                (node.line, node.column) = (line, column);
                self.add(node, 0, None)
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, node: Node, anchor: usize, function: Option<String>) -> Result<(), Wrong> {
        if self.open.len() >= DEEPEST {
            return Err((node.line, node.column, "values are nested too deeply here".to_owned()));
        }
        self.open.push(Open { node, anchor, key: None, function });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, function: Option<String>) -> Result<(), Wrong> {
        let node = match function {
            Some(name) => applied(name, node),
            None => node,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match open.key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let Some(text) = node.text() else { return Err((node.line, node.column, "a key must be a text".to_owned())) };
                    if entries.iter().any(|(known, _)| known.text() == Some(text)) {
                        return Err((node.line, node.column, format!("`{text}` stands here a second time")));
                    }
                    open.key = Some(node);
                }
            },
            Value::Text(_) => {}
        }
        Ok(())
    }
}

/// A function in its long form; `!GetAtt A.B` names resource and attribute in one text.
fn applied(name: String, node: Node) -> Node {
    let (line, column) = (node.line, node.column);
    let at = |value| Node { line, column, value };
    let argument = match (name.as_str(), node.text().and_then(|text| text.split_once('.'))) {
        ("Fn::GetAtt", Some((resource, attribute))) => {
            at(Value::List(vec![at(Value::Text(resource.to_owned())), at(Value::Text(attribute.to_owned()))]))
        }
        _ => node,
    };
    at(Value::Map(vec![(at(Value::Text(name)), argument)]))
}
