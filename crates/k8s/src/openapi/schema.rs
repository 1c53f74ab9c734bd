//! Schemas of messages.

use super::Dialect;
use crate::Value;
use crate::generated::ROOTS;
use crate::schema::{Field, ListType, Message, Type};
use serde_json::{Map, json};

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const DURATION: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Duration";
const FIELDS_V1: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
const RAW: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
/// The body of a patch, which is any object.
pub const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/// The schemas of these messages and of all that they hold.
pub fn all(dialect: Dialect, messages: Vec<&'static Message>) -> Map<String, Value> {
    let mut schemas = Map::new();
    for (name, schema) in [
        (QUANTITY, number_or_text(dialect, json!({}), "number")),
        (INT_OR_STRING, number_or_text(dialect, json!({"format": "int-or-string"}), "integer")),
        (TIME, json!({"format": "date-time", "type": "string"})),
        (MICRO_TIME, json!({"format": "date-time", "type": "string"})),
        (DURATION, json!({"type": "string"})),
        (FIELDS_V1, json!({"type": "object"})),
        (RAW, json!({"type": "object"})),
        (PATCH, json!({"type": "object"})),
    ] {
        schemas.insert(name.to_owned(), schema);
    }
    let mut waiting = messages;
    while let Some(message) = waiting.pop() {
        if !schemas.contains_key(message.name) {
            schemas.insert(message.name.to_owned(), of(dialect, message));
            waiting.extend(message.members().iter().filter_map(|field| held(field.ty)));
        }
    }
    schemas
}

/// Version 2 has no alternatives.
fn number_or_text(dialect: Dialect, mut schema: Value, number: &str) -> Value {
    match dialect {
        Dialect::V2 => schema["type"] = json!("string"),
        Dialect::V3 if number == "number" => schema["oneOf"] = json!([{"type": "string"}, {"type": number}]),
        Dialect::V3 => schema["oneOf"] = json!([{"type": number}, {"type": "string"}]),
    }
    schema
}

fn held(ty: Type) -> Option<&'static Message> {
    match ty {
        Type::Message(message) => Some(message),
        Type::List(inner) | Type::Map(inner) | Type::Items(inner) => held(*inner),
        _ => None,
    }
}

fn of(dialect: Dialect, message: &'static Message) -> Value {
    let mut schema = json!({"type": "object"});
    if !message.doc.is_empty() {
        schema["description"] = json!(message.doc);
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in message.members() {
        properties.insert(field.json.to_owned(), property(dialect, field));
        if field.required {
            required.push(field.json);
        }
    }
    if !properties.is_empty() {
        schema["properties"] = Value::Object(properties);
    }
    if !required.is_empty() {
        required.sort_unstable();
        schema["required"] = json!(required);
    }
    if message.atomic {
        schema["x-kubernetes-map-type"] = json!("atomic");
    }
    let named = ROOTS.iter().filter(|root| std::ptr::eq(root.3, message));
    let kinds: Vec<Value> =
        named.map(|(group, version, kind, _)| json!({"group": group_of(group), "version": version, "kind": kind})).collect();
    if !kinds.is_empty() {
        schema["x-kubernetes-group-version-kind"] = json!(kinds);
    }
    schema
}

/// The kinds of meta/v1 (`Status`, `DeleteOptions`) are told as of the core group.
fn group_of(group: &str) -> &str {
    if group == "meta.k8s.io" { "" } else { group }
}

fn property(dialect: Dialect, field: &Field) -> Value {
    let mut schema = typed(dialect, field.ty);
    if !field.doc.is_empty() {
        schema["description"] = json!(field.doc);
    }
    if dialect == Dialect::V3
        && let Some(default) = default(field)
    {
        schema["default"] = default;
    }
    let is_list = matches!(field.ty, Type::List(_) | Type::Items(_));
    match field.list {
        ListType::Default => {}
        ListType::Granular => schema["x-kubernetes-map-type"] = json!("granular"),
        ListType::Atomic if is_list => schema["x-kubernetes-list-type"] = json!("atomic"),
        ListType::Atomic => schema["x-kubernetes-map-type"] = json!("atomic"),
        ListType::Set => schema["x-kubernetes-list-type"] = json!("set"),
        ListType::Map(keys) => {
            schema["x-kubernetes-list-type"] = json!("map");
            schema["x-kubernetes-list-map-keys"] = json!(keys);
        }
    }
    match (field.patch.merge, field.patch.retain_keys) {
        (true, true) => schema["x-kubernetes-patch-strategy"] = json!("merge,retainKeys"),
        (true, false) => schema["x-kubernetes-patch-strategy"] = json!("merge"),
        (false, true) => schema["x-kubernetes-patch-strategy"] = json!("retainKeys"),
        (false, false) => {}
    }
    if let Some(key) = field.patch.key {
        schema["x-kubernetes-patch-merge-key"] = json!(key);
    }
    schema
}

/// A default that is told, or the zero value of what Go always writes.
fn default(field: &Field) -> Option<Value> {
    if let Some(text) = field.default {
        return serde_json::from_str(text).ok();
    }
    if field.pointer {
        return None;
    }
    match field.ty {
        Type::Message(_) => Some(json!({})),
        Type::String if !field.omit_empty => Some(json!("")),
        Type::Bool if !field.omit_empty => Some(json!(false)),
        Type::Int32 | Type::Int64 if !field.omit_empty => Some(json!(0)),
        _ => None,
    }
}

fn typed(dialect: Dialect, ty: Type) -> Value {
    match ty {
        Type::Bool => json!({"type": "boolean"}),
        Type::Int32 => json!({"type": "integer", "format": "int32"}),
        Type::Int64 => json!({"type": "integer", "format": "int64"}),
        Type::Float64 => json!({"type": "number", "format": "double"}),
        Type::String => json!({"type": "string"}),
        Type::Bytes => json!({"type": "string", "format": "byte"}),
        Type::Message(message) => reference(dialect, message.name),
        Type::Quantity => reference(dialect, QUANTITY),
        Type::IntOrString => reference(dialect, INT_OR_STRING),
        Type::Time => reference(dialect, TIME),
        Type::MicroTime => reference(dialect, MICRO_TIME),
        Type::Duration => reference(dialect, DURATION),
        Type::Raw => reference(dialect, RAW),
        Type::FieldsV1 => reference(dialect, FIELDS_V1),
        Type::List(inner) | Type::Items(inner) => json!({"type": "array", "items": item(dialect, *inner)}),
        Type::Map(inner) => json!({"type": "object", "additionalProperties": item(dialect, *inner)}),
    }
}

fn item(dialect: Dialect, ty: Type) -> Value {
    let mut schema = typed(dialect, ty);
    if dialect == Dialect::V3 {
        match ty {
            Type::String => schema["default"] = json!(""),
            Type::Int32 | Type::Int64 => schema["default"] = json!(0),
            Type::Message(_) => schema["default"] = json!({}),
            Type::Quantity | Type::Raw => schema = json!({"$ref": schema["allOf"][0]["$ref"]}),
            _ => {}
        }
    }
    schema
}

/// Version 3 keeps what stands beside a reference only when it is wrapped.
fn reference(dialect: Dialect, name: &str) -> Value {
    let reference = json!({"$ref": format!("{}{name}", dialect.reference())});
    match dialect {
        Dialect::V2 => reference,
        Dialect::V3 => json!({"allOf": [reference]}),
    }
}
