//! From YAML text to nodes: bounded in size, depth and aliases; keys that stand twice are told, all of them.

use super::node::{Key, Node, Origin, Value};
use super::reader::rule;
use base::{Finding, Severity};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// Longer texts, in bytes, are refused.
const LONGEST: usize = 1 << 20;
/// Values nested deeper than this are refused.
const DEEPEST: usize = 32;
/// Nodes that aliases may add up to.
const MOST_ALIASED: usize = 10_000;

/// Reads one document. Nothing when it is empty; what is wrong goes to the findings.
pub(crate) fn parse(text: &str, origin: &dyn Fn(u32, u32) -> Origin, findings: &mut Vec<Finding>) -> Option<Node> {
    let mut loader = Loader { origin, findings, open: Vec::new(), anchors: HashMap::new(), aliased: 0, root: None, stopped: false };
    if text.len() > LONGEST {
        loader.wrong(&(loader.origin)(1, 1), "the file is longer than 1 MiB", "");
        return None;
    }
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => loader.event(event, span),
            Err(error) => {
                let place = (loader.origin)(number(error.marker().line()), number(error.marker().col() + 1));
                loader.wrong(&place, &format!("this is no YAML: {}", error.info()), "");
                return None;
            }
        }
        if loader.stopped {
            return None;
        }
    }
    loader.root
}

/// The origin of a file's values.
pub(crate) fn in_file(file: &str) -> impl Fn(u32, u32) -> Origin + use<> {
    let file: Arc<str> = file.into();
    move |line, column| Origin::File { file: file.clone(), line, column }
}

/// A list or map that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

struct Loader<'a> {
    origin: &'a dyn Fn(u32, u32) -> Origin,
    findings: &'a mut Vec<Finding>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    root: Option<Node>,
    stopped: bool,
}

impl Loader<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) {
        let origin = (self.origin)(number(span.start.line()), number(span.start.col() + 1));
        match event {
            Event::DocumentStart(_) if self.root.is_some() => self.stop(&origin, "a second document begins here", "keep one document"),
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Text { text: text.into_owned(), plain } };
                self.add(Node { origin, value }, anchor);
            }
            Event::SequenceStart(anchor, _) => self.start(Node { origin, value: Value::List(Vec::new()) }, anchor),
            Event::MappingStart(anchor, _) => self.start(Node::map(origin), anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.add(open.node, open.anchor);
                }
            }
            Event::Alias(anchor) => self.alias(anchor, &origin),
            _ => {}
        }
    }

    fn start(&mut self, node: Node, anchor: usize) {
        if self.open.len() >= DEEPEST {
            return self.stop(&node.origin, "values are nested too deeply here", "");
        }
        self.open.push(Open { node, anchor, key: None });
    }

    fn alias(&mut self, anchor: usize, origin: &Origin) {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.stop(origin, "an alias stands inside its own anchor", "");
        };
        self.aliased += size(&node);
        if self.aliased > MOST_ALIASED {
            return self.stop(origin, "aliases unfold into too many values", "");
        }
        self.add(node, 0);
    }

    /// Puts a finished node into the list or map that is open, as key or as value.
    fn add(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match open.key.take() {
                Some(key) => {
                    if let Some((first, _)) = entries.iter().find(|(known, _)| known.text == key.text) {
                        let (message, help) =
                            (format!("`{}` stands here a second time", key.text), format!("the first is at {}", first.origin));
                        return self.wrong(&key.origin, &message, &help);
                    }
                    entries.push((key, node));
                }
                None => {
                    let text = match node.value {
                        Value::Text { text, .. } => text,
                        Value::Null => String::from("null"),
                        Value::List(_) | Value::Map(_) => {
                            return self.stop(&node.origin, "a key must be a text", "");
                        }
                    };
                    open.key = Some(Key { origin: node.origin, text });
                }
            },
            Value::Null | Value::Text { .. } => {}
        }
    }

    fn wrong(&mut self, origin: &Origin, message: &str, help: &str) {
        self.findings.push(Finding::new(rule::YAML, Severity::Error, origin.place(""), message).with_help(help));
    }

    fn stop(&mut self, origin: &Origin, message: &str, help: &str) {
        self.wrong(origin, message, help);
        self.stopped = true;
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| size(node)).sum(),
        Value::Null | Value::Text { .. } => 0,
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
