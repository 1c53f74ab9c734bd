//! The JSON schema of `wharf.yaml` (draft 2020-12), from the table of fields.

use super::fields::Settings;
use super::shape::{Field, Shape};
use serde_json::{Map, Value, json};

/// The schema that editors take.
pub fn schema() -> Value {
    let mut schema = section(Settings::FIELDS, false);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "wharf.yaml".into();
    schema
}

fn section(fields: &[Field], with_required: bool) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), described(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| with_required && field.required && field.default.is_none()).map(|field| field.name).collect();
    let mut schema = json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = required.into();
        schema["type"] = "object".into();
    }
    schema
}

fn described(field: &Field) -> Value {
    let shape = (field.shape)();
    let mut schema = shaped(&shape);
    schema["description"] = field.help.trim().into();
    if let Some(default) = field.default {
        schema["default"] = match shape {
            Shape::Number | Shape::Switch => serde_json::from_str(default).unwrap_or_else(|_| default.into()),
            _ => default.into(),
        };
    }
    schema
}

fn shaped(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Number => json!({ "type": "integer", "minimum": 0 }),
        Shape::Duration => json!({ "type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$" }),
        Shape::Bytes => json!({ "type": ["string", "integer"], "pattern": "^[0-9]+ ?([kKMGTP]?i?B)?$" }),
        Shape::Percent => json!({ "type": "string", "pattern": "^[0-9]+ ?%$" }),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::Command => {
            let list = json!({ "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } });
            json!({ "anyOf": [{ "type": "string" }, list] })
        }
        Shape::List(of) => json!({ "type": ["array", "null"], "items": shaped(of) }),
        Shape::Map(of) => json!({ "type": ["object", "null"], "additionalProperties": shaped(of) }),
        Shape::Section(fields) => section(fields, true),
    }
}
