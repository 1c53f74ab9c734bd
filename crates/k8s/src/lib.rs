//! What is known of the Kubernetes API: objects, the kinds' facts, codecs, patches, apply.
//!
//! Formats only: no clock, no file, no socket.

pub mod apply;
pub mod columns;
pub mod defaults;
pub mod discovery;
pub mod error;
pub mod fields;
pub mod generated;
pub mod kinds;
pub mod labels;
pub mod object;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod quantity;
pub mod schema;
pub mod selectable;
pub mod support;
pub mod usage;
pub mod validate;
pub mod yaml;

pub use error::{ApiError, Cause};
pub use kinds::{KINDS, Kind, Scope};
pub use object::{Fields, ObjectRef, Value};
