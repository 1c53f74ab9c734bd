//! The version 2 document as protobuf, which kubectl before 1.27 and `kubectl explain --output plaintext-openapiv2` ask for.
//!
//! Source for tags: gnostic-models `openapiv2/OpenAPIv2.proto`.

use crate::object::Fields;
use crate::protobuf::wire::Writer;
use crate::{Value, yaml};

/// The media type of the answer.
pub const MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// How clients name it, too.
pub const OLD_MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// A message: its members, and the tag of what begins with `x-`.
struct Shape {
    members: &'static [Member],
    extensions: Option<u32>,
}

/// A member: its JSON name, the tags that lead to it (all but the last are messages that wrap it), what it holds.
type Member = (&'static str, &'static [u32], Form);

enum Form {
    Text,
    Texts,
    Flag,
    One(&'static Shape),
    /// Entries of name and value; the tags are of what wraps the value.
    Map(&'static Shape, &'static [u32]),
    /// Parameters, whose place in the message follows from where they stand in a request.
    Parameters,
}

static DOCUMENT: Shape = Shape {
    members: &[
        ("swagger", &[1], Form::Text),
        ("info", &[2], Form::One(&INFO)),
        ("paths", &[8, 2], Form::Map(&PATH, &[])),
        ("definitions", &[9, 1], Form::Map(&SCHEMA, &[])),
    ],
    extensions: None,
};

static INFO: Shape = Shape { members: &[("title", &[1], Form::Text), ("version", &[2], Form::Text)], extensions: None };

static PATH: Shape = Shape {
    members: &[
        ("get", &[2], Form::One(&OPERATION)),
        ("put", &[3], Form::One(&OPERATION)),
        ("post", &[4], Form::One(&OPERATION)),
        ("delete", &[5], Form::One(&OPERATION)),
        ("patch", &[8], Form::One(&OPERATION)),
        ("parameters", &[9], Form::Parameters),
    ],
    extensions: Some(10),
};

static OPERATION: Shape = Shape {
    members: &[
        ("operationId", &[5], Form::Text),
        ("produces", &[6], Form::Texts),
        ("consumes", &[7], Form::Texts),
        ("parameters", &[8], Form::Parameters),
        ("responses", &[9, 1], Form::Map(&RESPONSE, &[1])),
    ],
    extensions: Some(13),
};

static RESPONSE: Shape =
    Shape { members: &[("description", &[1], Form::Text), ("schema", &[2, 1], Form::One(&SCHEMA))], extensions: Some(5) };

static SCHEMA: Shape = Shape {
    members: &[
        ("$ref", &[1], Form::Text),
        ("format", &[2], Form::Text),
        ("description", &[4], Form::Text),
        ("required", &[19], Form::Texts),
        ("additionalProperties", &[21, 1], Form::One(&SCHEMA)),
        ("type", &[22, 1], Form::Text),
        ("items", &[23, 1], Form::One(&SCHEMA)),
        ("properties", &[25, 1], Form::Map(&SCHEMA, &[])),
    ],
    extensions: Some(31),
};

/// Where a parameter stands, the tags that lead to it there, its message.
static PARAMETERS: [(&str, &[u32], Shape); 3] = [
    (
        "body",
        &[1, 1],
        Shape {
            members: &[
                ("name", &[2], Form::Text),
                ("in", &[3], Form::Text),
                ("required", &[4], Form::Flag),
                ("schema", &[5], Form::One(&SCHEMA)),
            ],
            extensions: Some(6),
        },
    ),
    (
        "query",
        &[1, 2, 3],
        Shape {
            members: &[
                ("required", &[1], Form::Flag),
                ("in", &[2], Form::Text),
                ("name", &[4], Form::Text),
                ("type", &[6], Form::Text),
                ("uniqueItems", &[20], Form::Flag),
            ],
            extensions: Some(23),
        },
    ),
    (
        "path",
        &[1, 2, 4],
        Shape {
            members: &[
                ("required", &[1], Form::Flag),
                ("in", &[2], Form::Text),
                ("name", &[4], Form::Text),
                ("type", &[5], Form::Text),
                ("uniqueItems", &[18], Form::Flag),
            ],
            extensions: Some(22),
        },
    ),
];

/// The bytes of a version 2 document as this crate makes it.
pub fn document(document: &Value) -> Vec<u8> {
    message(&DOCUMENT, document)
}

fn message(shape: &Shape, value: &Value) -> Vec<u8> {
    let mut out = Writer::default();
    for (name, tags, form) in shape.members {
        if let Some(found) = value.member(name) {
            wrapped(&mut out, tags, |out, tag| write(out, tag, form, found));
        }
    }
    let Some(tag) = shape.extensions else { return out.finish() };
    for (name, found) in value.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-")) {
        let mut any = Writer::default();
        any.bytes(2, yaml::text(found).as_bytes());
        out.bytes(tag, &named(name, &any.finish()));
    }
    out.finish()
}

fn write(out: &mut Writer, tag: u32, form: &Form, value: &Value) {
    match form {
        Form::Text => out.bytes(tag, value.as_str().unwrap_or_default().as_bytes()),
        Form::Texts => {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).for_each(|text| out.bytes(tag, text.as_bytes()));
        }
        // False is what is left out.
        Form::Flag if value == &Value::Bool(true) => out.varint(tag, 1),
        Form::Flag => {}
        Form::One(shape) => out.bytes(tag, &message(shape, value)),
        Form::Map(shape, within) => {
            for (name, value) in value.as_object().into_iter().flatten() {
                let mut held = message(shape, value);
                if !within.is_empty() {
                    let mut wrapper = Writer::default();
                    wrapped(&mut wrapper, within, |out, tag| out.bytes(tag, &held));
                    held = wrapper.finish();
                }
                out.bytes(tag, &named(name, &held));
            }
        }
        Form::Parameters => {
            for value in value.as_array().into_iter().flatten() {
                let Some((_, tags, shape)) = PARAMETERS.iter().find(|(place, ..)| *place == value.text("in")) else { continue };
                let mut item = Writer::default();
                wrapped(&mut item, tags, |out, tag| out.bytes(tag, &message(shape, value)));
                out.bytes(tag, &item.finish());
            }
        }
    }
}

fn named(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(1, name.as_bytes());
    out.bytes(2, value);
    out.finish()
}

fn wrapped(out: &mut Writer, tags: &[u32], inside: impl FnOnce(&mut Writer, u32)) {
    let Some((innermost, outer)) = tags.split_last() else { return };
    let mut made = Writer::default();
    inside(if outer.is_empty() { &mut *out } else { &mut made }, *innermost);
    let (Some((first, between)), bytes) = (outer.split_first(), made.finish()) else { return };
    let bytes = between.iter().rev().fold(bytes, |bytes, tag| {
        let mut wrapper = Writer::default();
        wrapper.bytes(*tag, &bytes);
        wrapper.finish()
    });
    out.bytes(*first, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::wire::Reader;
    use serde_json::json;

    /// What stands at a way of tags; the first of each.
    fn at(bytes: &[u8], tags: &[u32]) -> Option<Vec<u8>> {
        tags.iter().try_fold(bytes.to_vec(), |bytes, wanted| {
            let mut reader = Reader::new(&bytes);
            while let Some((tag, wire)) = reader.next().expect("well formed") {
                if tag == *wanted {
                    return Some(wire.bytes().expect("a message or text").to_vec());
                }
            }
            None
        })
    }

    #[test]
    fn everything_is_where_readers_look_for_it() {
        let schema = json!({"type": "object", "required": ["a"], "x-kubernetes-group-version-kind": [{"kind": "K", "group": ""}],
            "properties": {"a": {"type": "array", "items": {"$ref": "#/definitions/b"}}}});
        let get = json!({"operationId": "id", "responses": {"200": {"description": "OK", "schema": {"$ref": "r"}}},
            "parameters": [{"name": "q", "in": "query", "type": "string", "uniqueItems": true}, {"name": "other", "in": "nowhere"}]});
        let made = document(
            &json!({"swagger": "2.0", "info": {"title": "t", "version": "v"}, "definitions": {"k": schema}, "paths": {"/p": {"get": get}}}),
        );
        let text = |tags: &[u32]| at(&made, tags).map(|bytes| String::from_utf8(bytes).expect("text"));
        for (tags, wanted) in [
            (&[1][..], "2.0"),
            (&[2, 2], "v"),
            (&[9, 1, 1], "k"),
            (&[9, 1, 2, 22, 1], "object"),
            (&[9, 1, 2, 19], "a"),
            (&[9, 1, 2, 25, 1, 2, 23, 1, 1], "#/definitions/b"),
            (&[9, 1, 2, 31, 1], "x-kubernetes-group-version-kind"),
            (&[9, 1, 2, 31, 2, 2], "- group: \"\"\n  kind: K\n"),
            (&[8, 2, 1], "/p"),
            (&[8, 2, 2, 2, 5], "id"),
            (&[8, 2, 2, 2, 8, 1, 2, 3, 4], "q"),
            (&[8, 2, 2, 2, 9, 1, 1], "200"),
            (&[8, 2, 2, 2, 9, 1, 2, 1, 2, 1, 1], "r"),
        ] {
            assert_eq!(text(tags).as_deref(), Some(wanted), "{tags:?}");
        }
    }
}
