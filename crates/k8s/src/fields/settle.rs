//! Go's rules for empty fields: what a Go struct that was read from JSON or protobuf writes back.

use crate::Value;
use crate::schema::{Field, Message, Type};
use serde_json::{Map, json};

/// Fills in the fields that Go always writes (`resources: {}`), and drops those that it leaves out when empty. Idempotent.
pub fn settle(message: &'static Message, value: &mut Value) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(members) = value {
        settle_members(message, members);
    }
}

fn settle_members(message: &'static Message, members: &mut Map<String, Value>) {
    for field in message.fields {
        match field.ty {
            Type::Message(inner) if field.inline => settle_members(inner, members),
            _ => settle_field(field, members),
        }
    }
}

fn settle_field(field: &'static Field, members: &mut Map<String, Value>) {
    match members.get_mut(field.json) {
        Some(value) if !value.is_null() => {
            settle_type(field.ty, value);
            if field.omit_empty && (value.is_null() || !field.pointer && is_empty(field.ty, value)) {
                members.remove(field.json);
            }
        }
        _ if field.omit_empty => {
            members.remove(field.json);
        }
        _ => {
            let value = if field.pointer { Value::Null } else { zero(field.ty) };
            members.insert(field.json.to_owned(), value);
        }
    }
}

fn settle_type(ty: Type, value: &mut Value) {
    match (ty, value) {
        (Type::Message(message), value) => settle(message, value),
        (Type::List(inner) | Type::Items(inner), Value::Array(items)) => items.iter_mut().for_each(|item| settle_item(*inner, item)),
        (Type::Map(inner), Value::Object(members)) => members.values_mut().for_each(|member| settle_item(*inner, member)),
        _ => {}
    }
}

fn settle_item(ty: Type, value: &mut Value) {
    if value.is_null() {
        *value = zero(ty);
    } else {
        settle_type(ty, value);
    }
}

/// Go's zero value of a type, as JSON.
pub fn zero(ty: Type) -> Value {
    match ty {
        Type::Bool => json!(false),
        Type::Int32 | Type::Int64 | Type::Float64 | Type::IntOrString => json!(0),
        Type::String => json!(""),
        Type::Quantity => json!("0"),
        Type::Duration => json!("0s"),
        Type::Message(message) => {
            let mut value = Value::Object(Map::new());
            settle(message, &mut value);
            value
        }
        Type::Bytes | Type::List(_) | Type::Items(_) | Type::Map(_) | Type::Time | Type::MicroTime | Type::Raw | Type::FieldsV1 => {
            Value::Null
        }
    }
}

fn is_empty(ty: Type, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty() && !matches!(ty, Type::Raw | Type::FieldsV1),
    }
}
