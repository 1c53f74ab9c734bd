//! Bytes to values.

use super::wire::{Reader, Wire};
use super::{CodecError, duration};
use crate::Value;
use crate::quantity;
use crate::schema::{Field, Message, Type};
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};

/// A list of empty messages takes two bytes an item on the wire and hundreds in memory.
const MOST_MESSAGES: usize = 100_000;

/// Reads the fields that are there; nothing is filled in, see [`crate::fields::settle`]. Unknown tags are skipped.
///
/// # Errors
/// Bytes that are no such message.
pub fn decode_message(message: &'static Message, bytes: &[u8]) -> Result<Value, CodecError> {
    let mut members = Map::new();
    Decoder { messages: 0 }.message(message, bytes, &mut members)?;
    Ok(Value::Object(members))
}

struct Decoder {
    messages: usize,
}

impl Decoder {
    /// The depth is that of the table, which has no cycles.
    fn message(&mut self, message: &'static Message, bytes: &[u8], members: &mut Map<String, Value>) -> Result<(), CodecError> {
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            return Err(CodecError::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        while let Some((tag, wire)) = reader.next()? {
            if let Some(field) = message.fields.iter().find(|field| field.tag == tag && tag != 0) {
                self.field(field, wire, members)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'static Field, wire: Wire<'_>, members: &mut Map<String, Value>) -> Result<(), CodecError> {
        match field.ty {
            Type::Message(inner) if field.inline => self.message(inner, wire.bytes()?, members),
            Type::Message(inner) => {
                let held = members.entry(field.json).or_insert_with(|| json!({}));
                held.as_object_mut().map_or(Ok(()), |held| self.message(inner, wire.bytes()?, held))
            }
            Type::List(inner) => {
                let held = members.entry(field.json).or_insert_with(|| json!([]));
                held.as_array_mut().map_or(Ok(()), |held| self.list(field, *inner, wire, held))
            }
            Type::Map(inner) => {
                let (key, value) = self.entry(field, *inner, wire.bytes()?)?;
                let held = members.entry(field.json).or_insert_with(|| json!({}));
                if let Some(held) = held.as_object_mut() {
                    held.insert(key, value);
                }
                Ok(())
            }
            ty => {
                let value = self.value(field, ty, wire)?;
                members.insert(field.json.to_owned(), value);
                Ok(())
            }
        }
    }

    fn list(&mut self, field: &'static Field, inner: Type, wire: Wire<'_>, held: &mut Vec<Value>) -> Result<(), CodecError> {
        if let (Type::Bool | Type::Int32 | Type::Int64, Wire::Bytes(packed)) = (inner, wire) {
            let mut reader = Reader::new(packed);
            while !reader.is_done() {
                held.push(self.value(field, inner, Wire::Varint(reader.varint()?))?);
            }
            return Ok(());
        }
        held.push(self.value(field, inner, wire)?);
        Ok(())
    }

    /// An entry of a map is a message with key 1 and value 2.
    fn entry(&mut self, field: &'static Field, inner: Type, bytes: &[u8]) -> Result<(String, Value), CodecError> {
        let (mut key, mut value) = (String::new(), Value::Null);
        let mut reader = Reader::new(bytes);
        while let Some((tag, wire)) = reader.next()? {
            match tag {
                1 => key = wire.text()?.to_owned(),
                2 => value = self.value(field, inner, wire)?,
                _ => {}
            }
        }
        Ok((key, value))
    }

    fn value(&mut self, field: &'static Field, ty: Type, wire: Wire<'_>) -> Result<Value, CodecError> {
        Ok(match ty {
            Type::Bool => json!(wire.varint()? != 0),
            // The wire holds 64 bits of a negative number, of which Go takes the lower 32.
            Type::Int32 => json!(wire.varint()? as u32 as i32),
            Type::Int64 => json!(wire.varint()? as i64),
            Type::Float64 => match wire {
                Wire::Fixed64(bits) => json!(f64::from_bits(bits)),
                _ => return Err(CodecError::Wire("wrong wire type, expected double")),
            },
            Type::String => json!(wire.text()?),
            Type::Bytes => json!(STANDARD.encode(wire.bytes()?)),
            Type::Message(inner) => {
                let mut members = Map::new();
                self.message(inner, wire.bytes()?, &mut members)?;
                Value::Object(members)
            }
            Type::Items(inner) => {
                let mut items = Vec::new();
                let mut reader = Reader::new(wire.bytes()?);
                while let Some((tag, wire)) = reader.next()? {
                    if tag == 1 {
                        self.list(field, *inner, wire, &mut items)?;
                    }
                }
                Value::Array(items)
            }
            Type::Quantity => quantity(field, wire)?,
            Type::IntOrString => int_or_string(wire)?,
            Type::Time => timestamp(field, wire)?.map_or(Value::Null, |time| json!(time.rfc3339())),
            Type::MicroTime => timestamp(field, wire)?.map_or(Value::Null, |time| json!(time.rfc3339_micros())),
            Type::Duration => json!(duration::show(number(wire, 1)?.unwrap_or(0) as i64)),
            Type::Raw | Type::FieldsV1 => raw(field, wire)?,
            Type::List(_) | Type::Map(_) => return Err(CodecError::Wire("a list inside a list")),
        })
    }
}

fn number(wire: Wire<'_>, wanted: u32) -> Result<Option<u64>, CodecError> {
    let mut found = None;
    let mut reader = Reader::new(wire.bytes()?);
    while let Some((tag, wire)) = reader.next()? {
        if tag == wanted {
            found = Some(wire.varint()?);
        }
    }
    Ok(found)
}

fn quantity(field: &Field, wire: Wire<'_>) -> Result<Value, CodecError> {
    let mut text = "0";
    let mut reader = Reader::new(wire.bytes()?);
    while let Some((tag, wire)) = reader.next()? {
        if tag == 1 {
            text = wire.text()?;
        }
    }
    quantity::canonical(text).map(Value::String).map_err(|error| CodecError::value(field.json, error.to_string()))
}

fn int_or_string(wire: Wire<'_>) -> Result<Value, CodecError> {
    let (mut kind, mut number, mut text) = (0, 0, "");
    let mut reader = Reader::new(wire.bytes()?);
    while let Some((tag, wire)) = reader.next()? {
        match tag {
            1 => kind = wire.varint()?,
            2 => number = wire.varint()? as u32 as i32,
            3 => text = wire.text()?,
            _ => {}
        }
    }
    match kind {
        0 => Ok(json!(number)),
        1 => Ok(json!(text)),
        _ => Err(CodecError::Wire("impossible IntOrString.Type")),
    }
}

/// No bytes are Go's zero time.
fn timestamp(field: &Field, wire: Wire<'_>) -> Result<Option<Timestamp>, CodecError> {
    let bytes = wire.bytes()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let seconds = number(wire, 1)?.unwrap_or(0) as i64;
    let nanos = number(wire, 2)?.unwrap_or(0) as u32 as i32;
    // Years 0 to 9999, which is what RFC 3339 can say.
    if !(-62_167_219_200..253_402_300_800).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(CodecError::value(field.json, "the time is outside of the years 0 to 9999"));
    }
    Ok(Some(Timestamp::from_micros(seconds * 1_000_000 + i64::from(nanos) / 1_000)))
}

fn raw(field: &Field, wire: Wire<'_>) -> Result<Value, CodecError> {
    let mut value = Value::Null;
    let mut reader = Reader::new(wire.bytes()?);
    while let Some((tag, wire)) = reader.next()? {
        if tag == 1 {
            let text = wire.bytes()?;
            value = serde_json::from_slice(text)
                .map_err(|error| CodecError::value(field.json, format!("the embedded object is no JSON: {error}")))?;
        }
    }
    Ok(value)
}
