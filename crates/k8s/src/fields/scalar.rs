//! Scalars in canonical form: what Go's JSON would write back.

use crate::Value;
use crate::quantity;
use crate::schema::Type;
use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A scalar as it was found.
pub enum Found<'a> {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// A list.
    List,
    /// An object.
    Object,
}

impl Found<'_> {
    /// As Go's JSON errors call it.
    fn told(&self) -> String {
        match self {
            Self::Bool(_) => "bool".to_owned(),
            Self::Int(number) => format!("number {number}"),
            Self::Float(number) => format!("number {number}"),
            Self::Text(_) => "string".to_owned(),
            Self::List => "array".to_owned(),
            Self::Object => "object".to_owned(),
        }
    }
}

/// Why a scalar cannot be taken.
pub enum Wrong {
    /// It is of another type: what was found, and Go's name of what is wanted.
    Type(String, String),
    /// Its text has not the right form.
    Form(String),
}

/// The canonical value of a scalar.
pub fn canonical(ty: Type, found: &Found<'_>) -> Result<Value, Wrong> {
    match (ty, found) {
        (Type::Bool, Found::Bool(flag)) => Ok(Value::Bool(*flag)),
        (Type::Int32, Found::Int(number)) if i32::try_from(*number).is_ok() => whole(*number, ty, found),
        (Type::Int64, Found::Int(number)) if i64::try_from(*number).is_ok() => whole(*number, ty, found),
        (Type::Float64, Found::Int(number)) => whole(*number, ty, found),
        (Type::Float64, Found::Float(number)) => {
            serde_json::Number::from_f64(*number).map(Value::Number).ok_or_else(|| mismatch(ty, found))
        }
        (Type::String, Found::Text(text)) => Ok(Value::String((*text).to_owned())),
        (Type::Bytes, Found::Text(text)) => bytes(text),
        (Type::Quantity, Found::Text(text)) => quantity_text(text.trim()),
        (Type::Quantity, Found::Int(number)) => quantity_text(&number.to_string()),
        (Type::Quantity, Found::Float(number)) => quantity_text(&number.to_string()),
        (Type::IntOrString, Found::Text(text)) => Ok(Value::String((*text).to_owned())),
        (Type::IntOrString, Found::Int(number)) if i32::try_from(*number).is_ok() => whole(*number, ty, found),
        (Type::Time, Found::Text(text)) => time(text, "2006-01-02T15:04:05Z07:00").map(|time| Value::String(time.rfc3339())),
        (Type::MicroTime, Found::Text(text)) => {
            time(text, "2006-01-02T15:04:05.000000Z07:00").map(|time| Value::String(time.rfc3339_micros()))
        }
        (Type::Duration, Found::Text(text)) => match crate::protobuf::duration::parse(text) {
            Some(nanos) => Ok(Value::String(crate::protobuf::duration::show(nanos))),
            None => Err(Wrong::Form(format!("time: invalid duration {text:?}"))),
        },
        _ => Err(mismatch(ty, found)),
    }
}

fn whole(number: i128, ty: Type, found: &Found<'_>) -> Result<Value, Wrong> {
    let number = i64::try_from(number).map_err(|_| mismatch(ty, found))?;
    Ok(Value::from(number))
}

fn quantity_text(text: &str) -> Result<Value, Wrong> {
    quantity::canonical(text).map(Value::String).map_err(|error| Wrong::Form(error.to_string()))
}

fn bytes(text: &str) -> Result<Value, Wrong> {
    let joined: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&joined) {
        Ok(_) => Ok(Value::String(joined)),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => joined.len() / 4 * 4,
            };
            Err(Wrong::Form(format!("illegal base64 data at input byte {at}")))
        }
    }
}

fn time(text: &str, layout: &str) -> Result<Timestamp, Wrong> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| Wrong::Form(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\"")))
}

fn mismatch(ty: Type, found: &Found<'_>) -> Wrong {
    let told = match (ty, found) {
        // Go tells the number only where it does not fit.
        (
            Type::String | Type::Bool | Type::Bytes | Type::Message(_) | Type::List(_) | Type::Items(_) | Type::Map(_),
            Found::Int(_) | Found::Float(_),
        ) => "number".to_owned(),
        _ => found.told(),
    };
    Wrong::Type(told, go_type(ty))
}

/// A mismatch of something that is no scalar.
pub fn wrong(ty: Type, found: &Found<'_>) -> Wrong {
    mismatch(ty, found)
}

/// Go's name of a type.
pub fn go_type(ty: Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Int32 | Type::IntOrString => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Float64 => "float64".to_owned(),
        Type::Bytes => "[]uint8".to_owned(),
        Type::String | Type::Quantity | Type::Time | Type::MicroTime | Type::Duration => "string".to_owned(),
        Type::Message(message) => {
            let mut names = message.name.rsplit('.');
            let name = names.next().unwrap_or_default();
            format!("{}.{name}", names.next().unwrap_or_default())
        }
        Type::List(inner) | Type::Items(inner) => format!("[]{}", go_type(*inner)),
        Type::Map(inner) => format!("map[string]{}", go_type(*inner)),
        Type::Raw | Type::FieldsV1 => "object".to_owned(),
    }
}
