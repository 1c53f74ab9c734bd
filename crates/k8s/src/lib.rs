//! What is known of the Kubernetes API: objects, the kinds' facts, codecs, patches, apply.
//!
//! Formats only: no clock, no file, no socket.

pub mod error;
pub mod kinds;
pub mod labels;
pub mod object;
pub mod quantity;
pub mod schema;
pub mod usage;

pub use error::{ApiError, Cause};
pub use kinds::{KINDS, Kind, Scope};
pub use object::{Fields, ObjectRef, Value};
