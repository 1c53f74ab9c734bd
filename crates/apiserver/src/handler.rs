//! The one resource handler: every verb on every kind.

pub mod convert;
pub mod delete;
pub mod list;
pub mod options;
pub mod patching;
pub mod prepare;
pub mod watch;
pub mod write;

use crate::core::Core;
use crate::request::Target;
use crate::user::User;
use bytes::Bytes;
use k8s::Value;
use options::WriteOptions;
use std::sync::Arc;

/// One request for one target by one user.
pub struct Call<'a> {
    /// The server.
    pub core: &'a Core,
    /// Who asks.
    pub user: &'a User,
    /// What for.
    pub target: Target,
    /// How a write is meant.
    pub options: WriteOptions,
    /// Told with the answer.
    pub warnings: Vec<String>,
    /// The kind's `apiVersion`.
    api_version: String,
}

/// A body as it came.
#[derive(Clone, Debug)]
pub enum Given {
    /// JSON text.
    Text(Bytes),
    /// Decoded already: protobuf, YAML, or from within the process.
    Value(Value),
}

/// What was written, or would have been.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object as it is now; as it was last, when it was removed.
    pub value: Arc<Value>,
    /// The same, encoded.
    pub bytes: Bytes,
    /// Whether it is new.
    pub created: bool,
    /// Whether it is gone now.
    pub removed: bool,
}

impl<'a> Call<'a> {
    /// A call with the usual options.
    pub fn new(core: &'a Core, user: &'a User, target: Target) -> Self {
        let api_version = target.kind.api_version();
        Self { core, user, target, options: WriteOptions::default(), warnings: Vec::new(), api_version }
    }
}
