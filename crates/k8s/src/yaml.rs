//! YAML as Kubernetes reads it: documents as JSON values, each with the places of its fields.
//!
//! [`text`] goes the other way.
//!
//! Plain scalars resolve as kubectl does (YAML 1.1: `yes` is true, `0644` is octal), not as YAML 1.2 would. Aliases
//! and nesting are bounded.

use crate::Value;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number};
use std::collections::{BTreeMap, HashMap};

mod write;

pub use write::text;

/// The media type of bodies.
pub const MEDIA_TYPE: &str = "application/yaml";

/// Deeper documents are refused.
const DEEPEST: usize = 100;
/// Documents of more values, aliases counted as often as they stand, are refused.
const MOST_VALUES: usize = 500_000;

/// Where something is: line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One document that is not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its value.
    pub value: Value,
    /// Where it begins.
    pub at: At,
    /// Where each field's value stands, by path: `spec.template.spec.containers[0].image`.
    pub places: BTreeMap<String, At>,
}

/// Why a text is no YAML, or not one that is read here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub at: At,
}

/// Changes scalars before they are resolved, as settings do. An error is a sentence.
pub type Scalars<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// Reads all documents of a text.
///
/// # Errors
/// All that `scalars` refused, or the first place where the text is no YAML.
pub fn read(text: &str, scalars: &mut Scalars<'_>) -> Result<Vec<Document>, Vec<YamlError>> {
    let reader = Reader { places: Some(BTreeMap::new()), ..Reader::new(scalars) };
    reader.read(text)
}

/// The value of a text that is one document; nothing is known of places, so that long paths cost nothing.
///
/// # Errors
/// The first place where the text is no YAML, or not one document.
pub fn value(text: &str) -> Result<Value, YamlError> {
    let mut as_it_is = |text: &str| Ok(text.to_owned());
    let documents = Reader::new(&mut as_it_is).read(text).map_err(|errors| errors.into_iter().next().unwrap_or_default())?;
    let mut documents = documents.into_iter();
    let Some(first) = documents.next() else { return Ok(Value::Null) };
    match documents.next() {
        Some(second) => Err(YamlError { message: "a second document".to_owned(), at: second.at }),
        None => Ok(first.value),
    }
}

fn at(marker: &saphyr_parser::Marker) -> At {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    At { line: number(marker.line()), column: number(marker.col().saturating_add(1)) }
}

enum Container {
    List(Vec<Value>),
    Map { members: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

struct Open {
    container: Container,
    anchor: usize,
    path: String,
    at: At,
}

struct Reader<'a, 'b> {
    documents: Vec<Document>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    /// None when nobody asks for them.
    places: Option<BTreeMap<String, At>>,
    begin: At,
    values: usize,
    errors: Vec<YamlError>,
    scalars: &'a mut Scalars<'b>,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(scalars: &'a mut Scalars<'b>) -> Self {
        Self {
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            places: None,
            begin: At::default(),
            values: 0,
            errors: Vec::new(),
            scalars,
        }
    }

    fn read(mut self, text: &str) -> Result<Vec<Document>, Vec<YamlError>> {
        for event in Parser::new_from_str(text) {
            let outcome = match event {
                Ok((event, span)) => self.event(event, at(&span.start)),
                Err(error) => Err(YamlError { message: error.info().to_owned(), at: at(error.marker()) }),
            };
            if let Err(error) = outcome {
                self.errors.push(error);
                break;
            }
        }
        if self.errors.is_empty() { Ok(self.documents) } else { Err(self.errors) }
    }

    fn event(&mut self, event: Event<'_>, at: At) -> Result<(), YamlError> {
        let wrong = |message: &str| YamlError { message: message.to_owned(), at };
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.begin = At::default();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let shown = match (self.scalars)(&text) {
                    Ok(shown) => shown,
                    Err(message) => {
                        self.errors.push(YamlError { message, at });
                        text.into_owned()
                    }
                };
                let plain = style == ScalarStyle::Plain && tag.as_ref().is_none_or(|tag| tag.suffix != "str");
                let value = if plain { resolve(&shown) } else { Value::String(shown) };
                self.close(value, anchor, at)
            }
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).cloned().ok_or_else(|| wrong("an alias of nothing"))?;
                self.values += size;
                self.close(value, 0, at)
            }
            Event::SequenceStart(anchor, _) => self.begin(Container::List(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.begin(Container::Map { members: Map::new(), key: None, merged: Vec::new() }, anchor, at),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Err(wrong("an end without a beginning")) };
                let value = match open.container {
                    Container::List(items) => Value::Array(items),
                    Container::Map { members, merged, .. } => Value::Object(with_merged(members, merged)),
                };
                self.close(value, open.anchor, open.at)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, container: Container, anchor: usize, at: At) -> Result<(), YamlError> {
        if self.open.len() >= DEEPEST {
            return Err(YamlError { message: format!("nested deeper than {DEEPEST}"), at });
        }
        let path = self.path();
        self.open.push(Open { container, anchor, path, at });
        Ok(())
    }

    // The path of the value that comes next.
    fn path(&self) -> String {
        match self.open.last() {
            _ if self.places.is_none() => String::new(),
            None => String::new(),
            Some(Open { container: Container::List(items), path, .. }) => format!("{path}[{}]", items.len()),
            Some(Open { container: Container::Map { key: Some(key), .. }, path, .. }) if path.is_empty() => key.clone(),
            Some(Open { container: Container::Map { key: Some(key), .. }, path, .. }) => format!("{path}.{key}"),
            Some(Open { path, .. }) => path.clone(),
        }
    }

    fn close(&mut self, value: Value, anchor: usize, at: At) -> Result<(), YamlError> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(YamlError { message: format!("more than {MOST_VALUES} values"), at });
        }
        if anchor > 0 {
            // What is kept for later counts, too: nested anchors would be kept many times over.
            let size = count(&value);
            self.values += size;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        let path = self.path();
        if self.begin == At::default() {
            self.begin = at;
        }
        let Some(open) = self.open.last_mut() else {
            let places = self.places.as_mut().map(std::mem::take).unwrap_or_default();
            if !value.is_null() {
                self.documents.push(Document { value, at: self.begin, places });
            }
            return Ok(());
        };
        match &mut open.container {
            Container::List(items) => items.push(value),
            Container::Map { members, key, merged } => match key.take() {
                None => {
                    let name = key_of(&value).ok_or_else(|| YamlError { message: "a key is a text".to_owned(), at })?;
                    if members.contains_key(&name) {
                        return Err(YamlError { message: format!("the key `{name}` stands twice"), at });
                    }
                    *key = Some(name);
                    return Ok(());
                }
                Some(name) if name == "<<" => merged.push(value),
                Some(name) => drop(members.insert(name, value)),
            },
        }
        if let Some(places) = &mut self.places {
            places.insert(path, at);
        }
        Ok(())
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

fn key_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

// Merge keys (`<<`): what stands in the map itself wins.
fn with_merged(mut members: Map<String, Value>, merged: Vec<Value>) -> Map<String, Value> {
    let maps = merged.into_iter().flat_map(|value| match value {
        Value::Array(items) => items,
        other => vec![other],
    });
    for map in maps {
        if let Value::Object(inherited) = map {
            for (name, value) in inherited {
                members.entry(name).or_insert(value);
            }
        }
    }
    members
}

/// A plain scalar's value.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let first = digits.bytes().next()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    let radix = |prefix: &str, radix: u32| {
        digits.strip_prefix(prefix).filter(|rest| !rest.starts_with(['+', '-'])).and_then(|rest| i64::from_str_radix(rest, radix).ok())
    };
    let octal = || {
        (digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| i64::from_str_radix(digits, 8).ok())
            .flatten()
    };
    let whole = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)).or_else(octal);
    if let Some(whole) = whole {
        return Some(Value::from(sign * whole));
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.trim_start_matches('+').parse::<i64>().map(Value::from).or_else(|_| digits.parse::<u64>().map(Value::from)).ok();
    }
    let float = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.bytes().any(|b| b.is_ascii_digit());
    float.then(|| text.parse::<f64>().ok()).flatten().and_then(Number::from_f64).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn one(text: &str) -> Value {
        let documents = read(text, &mut |text| Ok(text.to_owned())).expect("yaml");
        documents.into_iter().next().expect("a document").value
    }

    #[test]
    fn scalars_are_what_kubectl_makes_of_them() {
        let read = one(
            "a: 0644\nb: yes\nc: '0644'\nd: 1e3\ne: 1.5\nf: ~\ng: 0x1F\nh: 1Gi\ni: 500m\nj: 10.0.0.1\nk: -3\nl: !!str 5\nm: off\nn: 1_000\no: v1\n",
        );
        let wanted = json!({"a": 420, "b": true, "c": "0644", "d": 1000.0, "e": 1.5, "f": null, "g": 31, "h": "1Gi", "i": "500m", "j": "10.0.0.1", "k": -3, "l": "5", "m": false, "n": "1_000", "o": "v1"});
        assert_eq!(read, wanted);
    }

    #[test]
    fn places_and_documents() {
        let text = "# first\nkind: A\nspec:\n  list:\n    - name: x\n---\n---\nkind: B\n";
        let documents = read(text, &mut |text| Ok(text.to_owned())).expect("yaml");
        assert_eq!(documents.len(), 2, "an empty document is none");
        let first = documents.first().expect("one");
        assert_eq!(first.places.get("spec.list[0].name"), Some(&At { line: 5, column: 13 }));
        assert_eq!(documents.get(1).map(|document| document.at.line), Some(8));
    }

    #[test]
    fn anchors_merge_and_are_bounded() {
        assert_eq!(one("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n"), json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}));
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in 1..12 {
            let before = format!("*a{},", at - 1).repeat(9);
            bomb += &format!("a{at}: &a{at} [{}]\n", before.trim_end_matches(','));
        }
        let errors = read(&bomb, &mut |text| Ok(text.to_owned())).expect_err("a bomb");
        assert!(errors[0].message.contains("more than"), "{errors:?}");
        let deep = "[".repeat(200);
        assert!(read(&deep, &mut |text| Ok(text.to_owned())).is_err());
    }

    #[test]
    fn a_body_is_one_document() {
        assert_eq!(value("a: [1, {b: c}]\n"), Ok(json!({"a": [1, {"b": "c"}]})));
        assert_eq!(value("{\"a\": \"\\u00e4\\n\"}"), Ok(json!({"a": "ä\n"})), "JSON is YAML");
        assert_eq!(value("# nothing\n"), Ok(Value::Null));
        assert_eq!(value("a: 1\n---\nb: 2\n").expect_err("two").message, "a second document");
        let nested = ["[&a ".repeat(60), "x,".repeat(20_000), "]".repeat(60)].concat();
        assert!(value(&nested).expect_err("kept sixty times").message.contains("more than"));
    }

    #[test]
    fn errors_have_their_places() {
        let errors = read("a: 1\na: 2\n", &mut |text| Ok(text.to_owned())).expect_err("twice");
        assert_eq!((errors[0].at.line, errors[0].message.as_str()), (2, "the key `a` stands twice"));
        let errors =
            read("a: ${x}\nb: ${y}\n", &mut |text| if text.starts_with('$') { Err(format!("no {text}")) } else { Ok(text.to_owned()) })
                .expect_err("both");
        assert_eq!(errors.iter().map(|error| error.at.line).collect::<Vec<_>>(), [1, 2]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-a:{}\\[\\]&*|>'\"$!~0-9 \n#<,]{0,120}") {
            let _ = read(&text, &mut |text| Ok(text.to_owned()));
        }
    }
}
