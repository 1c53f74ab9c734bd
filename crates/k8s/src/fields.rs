//! Reads objects by the table of facts: unknown and double fields, types, canonical scalars, and Go's rules for empty fields.
//!
//! The way of a request body: [`read`] (or [`check`] for what came as YAML or from a patch), [`judge`] its problems, then
//! [`settle()`], then the kind's defaults.

mod scalar;
mod settle;
mod walk;

pub use settle::settle;

use crate::schema::Message;
use crate::{ApiError, Value};
use std::fmt;

/// A field that the kind does not have, or that is there twice; the path is as in `spec.containers[0].imagge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    /// The kind has no such field.
    Unknown(String),
    /// The field stands twice; the last one counts.
    Duplicate(String),
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(path) => write!(f, "unknown field \"{path}\""),
            Self::Duplicate(path) => write!(f, "duplicate field \"{path}\""),
        }
    }
}

/// A body that cannot be taken as an object of its kind, in the words of the API server; it becomes a 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldError(pub String);

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The object without its unknown fields, its scalars in canonical form. Nothing is filled in.
    pub value: Value,
    /// In the order of the document.
    pub problems: Vec<FieldProblem>,
}

/// Reads JSON text as a message. Nesting is bounded (128), and so is the number of values.
///
/// # Errors
/// Text that is no JSON, or a value of a wrong type.
pub fn read(message: &'static Message, text: &[u8]) -> Result<Checked, FieldError> {
    walk::from_text(message, text)
}

/// Checks a value that did not come as JSON text. Double fields cannot be seen here.
///
/// # Errors
/// A value of a wrong type.
pub fn check(message: &'static Message, value: &Value) -> Result<Checked, FieldError> {
    walk::from_value(message, value)
}

/// The unknown fields of a value.
pub fn unknown_fields(message: &'static Message, value: &Value) -> Vec<FieldProblem> {
    check(message, value).map(|checked| checked.problems).unwrap_or_default()
}

/// `fieldValidation` of a request. Source: apimachinery `pkg/apis/meta/v1` CreateOptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Unknown and double fields are refused.
    Strict,
    /// They are dropped and told in `Warning` headers.
    #[default]
    Warn,
    /// They are dropped.
    Ignore,
}

impl FieldValidation {
    /// Reads the query parameter; empty is the default.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "Strict" => Some(Self::Strict),
            "" | "Warn" => Some(Self::Warn),
            "Ignore" => Some(Self::Ignore),
            _ => None,
        }
    }
}

/// What becomes of the problems: the warnings, or the text of the refusal
/// (`strict decoding error: unknown field "spec.foo"`).
///
/// # Errors
/// Under [`FieldValidation::Strict`], when there is any.
pub fn judge(validation: FieldValidation, problems: &[FieldProblem]) -> Result<Vec<String>, FieldError> {
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Strict if !told.is_empty() => Err(FieldError(format!("strict decoding error: {}", told.join(", ")))),
        FieldValidation::Strict | FieldValidation::Warn => Ok(told),
    }
}

/// The 400 for a body that its kind cannot take.
pub fn refusal(api_version: &str, kind: &str, error: &FieldError) -> ApiError {
    let version = api_version.rsplit('/').next().unwrap_or(api_version);
    ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}"))
}

#[cfg(test)]
mod tests;
