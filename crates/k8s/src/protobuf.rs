//! Protobuf bodies: `k8s\0`, then `runtime.Unknown`, then the message, byte for byte as the generated Go code writes them.
//!
//! Source: apimachinery `pkg/runtime/serializer/protobuf`, and the `generated.pb.go` files of `k8s.io/api`.

mod decode;
pub mod duration;
mod encode;
pub(crate) mod wire;

pub use decode::decode_message;
pub use encode::encode_message;

use crate::Value;
use crate::fields::settle;
use crate::generated::ROOTS;
use crate::schema::Message;
use wire::{Reader, Writer};

/// What every protobuf body begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";
/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// A body that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No envelope.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Magic,
    /// The table has no such kind.
    #[error("no kind \"{kind}\" is registered for version \"{api_version}\"")]
    Unknown {
        /// `apiVersion` of the body.
        api_version: String,
        /// `kind` of the body.
        kind: String,
    },
    /// The bytes end too early, or are no protobuf.
    #[error("proto: {0}")]
    Wire(&'static str),
    /// A value of a wrong form, with the place where it stands.
    #[error("{place}: {what}")]
    Value {
        /// The JSON name of the field.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// The body would need too much memory.
    #[error("the object is too large")]
    TooLarge,
}

impl CodecError {
    fn value(place: &str, what: impl Into<String>) -> Self {
        Self::Value { place: place.to_owned(), what: what.into() }
    }
}

/// The message of an API version and kind; the options kinds stand in every group.
pub fn message(api_version: &str, kind: &str) -> Option<&'static Message> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let named = |wanted: &str| ROOTS.iter().find(|root| root.0 == wanted && root.1 == version && root.2 == kind).map(|root| root.3);
    named(group).or_else(|| named("meta.k8s.io"))
}

/// Reads a body into the object that Go's JSON would show, `apiVersion` and `kind` included.
///
/// # Errors
/// Any body that the generated Go code would refuse, and kinds that the table lacks.
pub fn decode(bytes: &[u8]) -> Result<Value, CodecError> {
    let envelope = Envelope::read(bytes)?;
    let Some(message) = message(&envelope.api_version, &envelope.kind) else {
        return Err(CodecError::Unknown { api_version: envelope.api_version, kind: envelope.kind });
    };
    let mut value = decode_message(message, envelope.raw)?;
    if let Value::Object(members) = &mut value {
        members.insert("apiVersion".to_owned(), Value::String(envelope.api_version));
        members.insert("kind".to_owned(), Value::String(envelope.kind));
    }
    settle(message, &mut value);
    Ok(value)
}

/// Writes an object with its envelope.
///
/// # Errors
/// A kind that the table lacks, or a value of a wrong type.
pub fn encode(value: &Value) -> Result<Vec<u8>, CodecError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let Some(message) = message(api_version, kind) else {
        return Err(CodecError::Unknown { api_version: api_version.to_owned(), kind: kind.to_owned() });
    };
    let raw = encode_message(message, value)?;
    let mut type_meta = Writer::default();
    type_meta.bytes(1, api_version.as_bytes());
    type_meta.bytes(2, kind.as_bytes());
    let mut out = Writer::after(MAGIC, raw.len());
    out.bytes(1, &type_meta.finish());
    out.bytes(2, &raw);
    out.bytes(3, b"");
    out.bytes(4, b"");
    Ok(out.finish())
}

/// `runtime.Unknown`.
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, CodecError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(CodecError::Magic)?;
        let mut envelope = Self { api_version: String::new(), kind: String::new(), raw: &[] };
        let mut reader = Reader::new(body);
        while let Some((tag, field)) = reader.next()? {
            match tag {
                1 => envelope.read_type(field.bytes()?)?,
                2 => envelope.raw = field.bytes()?,
                3 if !field.bytes()?.is_empty() => return Err(CodecError::Wire("content encodings are not supported")),
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let mut reader = Reader::new(bytes);
        while let Some((tag, field)) = reader.next()? {
            match tag {
                1 => self.api_version = field.text()?.to_owned(),
                2 => self.kind = field.text()?.to_owned(),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
