//! One pass over a document, by its message: prunes, checks types, and notes problems in the order of the document.

use super::scalar::{self, Found, Wrong};
use super::{Checked, FieldError, FieldProblem};
use crate::Value;
use crate::schema::{Message, Type};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// More values than any object may have: a list of `{}` would otherwise become a large thing in memory.
const MOST_VALUES: usize = 300_000;
/// The API server stops telling after as many.
const MOST_PROBLEMS: usize = 100;

enum Step {
    Name(String),
    /// An embedded struct, which only Go's type errors tell.
    Embedded(&'static str),
    /// A key of a map, which Go's type errors leave out.
    Key(String),
    Index(usize),
}

impl Step {
    /// As Go's type errors tell it.
    fn told(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Embedded(name) => Some(name),
            Self::Key(_) | Self::Index(_) => None,
        }
    }
}

/// The message that has a field itself, with the name under which it is embedded.
fn holder_of(message: &'static Message, name: &str) -> (&'static Message, Option<&'static str>) {
    for field in message.fields {
        if let Type::Message(inner) = field.ty
            && field.inline
            && field.tag != 0
            && inner.field(name).is_some()
        {
            return (inner, Some(field.json));
        }
    }
    (message, None)
}

#[derive(Default)]
struct State {
    path: Vec<Step>,
    problems: Vec<FieldProblem>,
    /// The first value of a wrong type.
    wrong: Option<String>,
    values: usize,
}

impl State {
    fn path(&self, last: Option<&str>) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Name(name) | Step::Key(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(name);
                }
                Step::Embedded(_) => {}
                Step::Index(at) => out.push_str(&format!("[{at}]")),
            }
        }
        if let Some(last) = last {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(last);
        }
        out
    }

    fn note(&mut self, problem: FieldProblem) {
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn refuse(&mut self, holder: &str, wrong: Wrong) {
        if self.wrong.is_some() {
            return;
        }
        self.wrong = Some(match wrong {
            Wrong::Form(text) => text,
            Wrong::Type(found, wanted) if self.path.is_empty() => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
            Wrong::Type(found, wanted) => {
                let names: Vec<&str> = self.path.iter().filter_map(Step::told).collect();
                format!("json: cannot unmarshal {found} into Go struct field {holder}.{} of type {wanted}", names.join("."))
            }
        });
    }
}

/// Reads JSON text.
pub fn from_text(message: &'static Message, text: &[u8]) -> Result<Checked, FieldError> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let checked = run(message, &mut reader).map_err(|error| FieldError(error.to_string()))?;
    reader.end().map_err(|error| FieldError(error.to_string()))?;
    checked
}

/// Reads a value.
pub fn from_value(message: &'static Message, value: &Value) -> Result<Checked, FieldError> {
    run(message, value).map_err(|error| FieldError(error.to_string()))?
}

fn run<'de, D: Deserializer<'de>>(message: &'static Message, reader: D) -> Result<Result<Checked, FieldError>, D::Error> {
    let mut state = State::default();
    let walk = Walk { ty: Type::Message(message), holder: message.go_name(), state: &mut state };
    let value = walk.deserialize(reader)?;
    if let Some(wrong) = state.wrong {
        return Ok(Err(FieldError(wrong)));
    }
    Ok(Ok(Checked { value, problems: state.problems }))
}

struct Walk<'s> {
    ty: Type,
    /// Go's name of the struct that holds the value.
    holder: &'static str,
    state: &'s mut State,
}

impl Walk<'_> {
    fn scalar<E>(self, found: &Found<'_>) -> Result<Value, E> {
        match scalar::canonical(self.ty, found) {
            Ok(value) => Ok(value),
            Err(wrong) => {
                self.state.refuse(self.holder, wrong);
                Ok(Value::Null)
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.state.values += 1;
        if self.state.values > MOST_VALUES {
            return Err(D::Error::custom(format!("more than {MOST_VALUES} values")));
        }
        if matches!(self.ty, Type::Raw | Type::FieldsV1) {
            return serde::Deserialize::deserialize(reader);
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, found: bool) -> Result<Value, E> {
        self.scalar(&Found::Bool(found))
    }

    fn visit_i64<E>(self, found: i64) -> Result<Value, E> {
        self.scalar(&Found::Int(found.into()))
    }

    fn visit_u64<E>(self, found: u64) -> Result<Value, E> {
        self.scalar(&Found::Int(found.into()))
    }

    fn visit_f64<E>(self, found: f64) -> Result<Value, E> {
        self.scalar(&Found::Float(found))
    }

    fn visit_str<E>(self, found: &str) -> Result<Value, E> {
        self.scalar(&Found::Text(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (Type::List(inner) | Type::Items(inner)) = self.ty else {
            self.state.refuse(self.holder, scalar::wrong(self.ty, &Found::List));
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        let mut list = Vec::new();
        loop {
            self.state.path.push(Step::Index(list.len()));
            let item = items.next_element_seed(Walk { ty: *inner, holder: self.holder, state: self.state })?;
            self.state.path.pop();
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        if !matches!(self.ty, Type::Message(_) | Type::Map(_)) {
            self.state.refuse(self.holder, scalar::wrong(self.ty, &Found::Object));
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut map = serde_json::Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let (ty, holder, step) = match self.ty {
                Type::Message(message) => match message.field(&name) {
                    Some(field) => {
                        let (holder, embedded) = holder_of(message, &name);
                        if let Some(embedded) = embedded {
                            self.state.path.push(Step::Embedded(embedded));
                        }
                        (field.ty, holder.go_name(), Step::Name(name.clone()))
                    }
                    None => {
                        let path = self.state.path(Some(&name));
                        self.state.note(FieldProblem::Unknown(path));
                        members.next_value::<IgnoredAny>()?;
                        continue;
                    }
                },
                Type::Map(inner) => (*inner, self.holder, Step::Key(name.clone())),
                _ => return Ok(Value::Null),
            };
            if map.contains_key(&name) {
                let path = self.state.path(Some(&name));
                self.state.note(FieldProblem::Duplicate(path));
            }
            self.state.path.push(step);
            let value = members.next_value_seed(Walk { ty, holder, state: self.state })?;
            self.state.path.pop();
            if matches!(self.state.path.last(), Some(Step::Embedded(_))) {
                self.state.path.pop();
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
