//! Values to bytes: fields by ascending tag, nil pointers left out, every other scalar written, maps in the order of keys.

use super::wire::Writer;
use super::{CodecError, duration};
use crate::Value;
use crate::quantity;
use crate::schema::{Field, Message, Type};
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes one message. Members that the message does not have are not written.
///
/// # Errors
/// A value of a wrong type.
pub fn encode_message(message: &'static Message, value: &Value) -> Result<Vec<u8>, CodecError> {
    let mut out = Writer::default();
    for field in message.fields.iter().filter(|field| field.tag != 0) {
        if field.inline {
            if let Type::Message(inner) = field.ty {
                out.bytes(field.tag, &encode_message(inner, value)?);
            }
            continue;
        }
        let member = value.get(field.json).filter(|member| !member.is_null());
        write_field(&mut out, field, member)?;
    }
    Ok(out.finish())
}

fn write_field(out: &mut Writer, field: &'static Field, member: Option<&Value>) -> Result<(), CodecError> {
    match (field.ty, member) {
        (Type::List(inner), Some(list)) => {
            let items = list.as_array().ok_or_else(|| wrong(field, "a list"))?;
            items.iter().try_for_each(|item| write(out, field.tag, field, *inner, item))
        }
        (Type::Map(inner), Some(map)) => {
            let map = map.as_object().ok_or_else(|| wrong(field, "an object"))?;
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                let mut entry = Writer::default();
                entry.bytes(1, key.as_bytes());
                write(&mut entry, 2, field, *inner, value)?;
                out.bytes(field.tag, &entry.finish());
            }
            Ok(())
        }
        (ty, Some(value)) => write(out, field.tag, field, ty, value),
        (Type::List(_) | Type::Map(_) | Type::Bytes | Type::Items(_), None) => Ok(()),
        (_, None) if field.pointer => Ok(()),
        (ty, None) => write(out, field.tag, field, ty, &Value::Null),
    }
}

/// Writes one value; null is Go's zero value.
fn write(out: &mut Writer, tag: u32, field: &'static Field, ty: Type, value: &Value) -> Result<(), CodecError> {
    let text = || if value.is_null() { Ok("") } else { value.as_str().ok_or_else(|| wrong(field, "a string")) };
    let int = || if value.is_null() { Ok(0) } else { value.as_i64().ok_or_else(|| wrong(field, "a whole number")) };
    match ty {
        Type::Bool => {
            let flag = if value.is_null() { Some(false) } else { value.as_bool() };
            out.varint(tag, u64::from(flag.ok_or_else(|| wrong(field, "a boolean"))?));
        }
        Type::Int32 => out.varint(tag, i64::from(i32::try_from(int()?).map_err(|_| wrong(field, "an int32"))?) as u64),
        Type::Int64 => out.varint(tag, int()? as u64),
        Type::Float64 => out.double(tag, if value.is_null() { 0.0 } else { value.as_f64().ok_or_else(|| wrong(field, "a number"))? }),
        Type::String => out.bytes(tag, text()?.as_bytes()),
        Type::Bytes if value.is_null() => {}
        Type::Bytes => out.bytes(tag, &STANDARD.decode(text()?).map_err(|_| wrong(field, "base64"))?),
        Type::Message(inner) => out.bytes(tag, &encode_message(inner, value)?),
        Type::Items(inner) => {
            let mut items = Writer::default();
            for item in value.as_array().into_iter().flatten() {
                write(&mut items, 1, field, *inner, item)?;
            }
            out.bytes(tag, &items.finish());
        }
        Type::Quantity => {
            let written = if value.is_null() { "0" } else { value.as_str().ok_or_else(|| wrong(field, "a quantity"))? };
            let written = quantity::canonical(written).map_err(|error| CodecError::value(field.json, error.to_string()))?;
            out.bytes(tag, &single(1, written.as_bytes()));
        }
        Type::IntOrString => out.bytes(tag, &int_or_string(field, value)?),
        Type::Time => out.bytes(tag, &timestamp(field, text()?, false)?),
        Type::MicroTime => out.bytes(tag, &timestamp(field, text()?, true)?),
        Type::Duration => {
            let nanos = if value.is_null() { Some(0) } else { duration::parse(text()?) };
            let mut inner = Writer::default();
            inner.varint(1, nanos.ok_or_else(|| wrong(field, "a duration"))? as u64);
            out.bytes(tag, &inner.finish());
        }
        Type::Raw | Type::FieldsV1 if value.is_null() => out.bytes(tag, b""),
        Type::Raw | Type::FieldsV1 => out.bytes(tag, &single(1, value.to_string().as_bytes())),
        Type::List(_) | Type::Map(_) => return Err(wrong(field, "no list inside a list")),
    }
    Ok(())
}

fn wrong(field: &Field, wanted: &str) -> CodecError {
    CodecError::value(field.json, format!("expected {wanted}"))
}

fn single(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(tag, content);
    out.finish()
}

fn int_or_string(field: &Field, value: &Value) -> Result<Vec<u8>, CodecError> {
    let (kind, number, text) = match value {
        Value::Null => (0, 0, ""),
        Value::String(text) => (1, 0, text.as_str()),
        value => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            (0, number.ok_or_else(|| wrong(field, "an int32 or a string"))?, "")
        }
    };
    let mut out = Writer::default();
    out.varint(1, kind);
    out.varint(2, i64::from(number) as u64);
    out.bytes(3, text.as_bytes());
    Ok(out.finish())
}

fn timestamp(field: &Field, text: &str, micros: bool) -> Result<Vec<u8>, CodecError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let time = Timestamp::parse_rfc3339(text).ok_or_else(|| wrong(field, "a time as RFC 3339"))?;
    let nanos = if micros { time.micros().rem_euclid(1_000_000) * 1_000 } else { 0 };
    let mut out = Writer::default();
    out.varint(1, time.seconds() as u64);
    out.varint(2, nanos as u64);
    Ok(out.finish())
}
