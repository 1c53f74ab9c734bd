//! What the engine's parts need of the API server, as one trait: the server implements it, tests fake it.

use async_trait::async_trait;
use k8s::{ApiError, Kind, ObjectRef, Value};
use std::sync::Arc;

/// A change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its kind.
    pub kind: &'static Kind,
    /// As it is now, or as it last was.
    pub object: Arc<Value>,
    /// Whether it is gone.
    pub gone: bool,
}

/// Reads that never wait, and writes that go the way of every request.
#[async_trait]
pub trait Objects: Send + Sync {
    /// One object.
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// All objects of a kind, in one namespace or in all.
    fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>>;
    /// Makes an object.
    async fn create(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError>;
    /// Replaces an object but for its status.
    async fn update(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError>;
    /// Replaces an object's status.
    async fn update_status(&self, manager: &str, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError>;
    /// Deletes an object while it has this uid (any, when empty).
    async fn delete(&self, object: &ObjectRef, how: Deletion<'_>) -> Result<(), ApiError>;
    /// Binds a pod to a node.
    async fn bind(&self, pod: &ObjectRef, uid: &str, node: &str) -> Result<(), ApiError>;
    /// A token of a service account that lives as long as a Secret of its namespace does.
    fn token(&self, account: &str, secret: &Value) -> Result<String, ApiError>;
    /// Clears the finalizers of a namespace's spec.
    async fn finalize(&self, namespace: &ObjectRef) -> Result<(), ApiError>;
}

/// How an object is to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Deletion<'a> {
    /// Only this very object; empty for any.
    pub uid: &'a str,
    /// `Background`, `Foreground` or `Orphan`.
    pub propagation: &'a str,
    /// Whether to be gone at once.
    pub now: bool,
}
