//! What the node asks of the API, and what the API tells the node.

use async_trait::async_trait;
use base::Timestamp;
use k8s::{ApiError, Fields, Kind, Value};
use std::sync::Arc;

/// The API as the node sees it; the engine implements it in process. Reads are from memory and never wait.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// One object; `namespace` is empty for cluster-wide kinds.
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// All objects of a kind in a namespace; every namespace when it is empty.
    fn list(&self, kind: &'static Kind, namespace: &str) -> Vec<Arc<Value>>;
    /// Creates an object; returns it as stored.
    async fn create(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError>;
    /// Replaces an object (not its status); a `resourceVersion` in it must be the stored one.
    async fn update(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError>;
    /// Replaces an object's status; a `resourceVersion` in it must be the stored one.
    async fn update_status(&self, kind: &'static Kind, object: &Value) -> Result<Arc<Value>, ApiError>;
    /// Deletes an object with grace 0 when its uid is the given one.
    async fn delete_now(&self, kind: &'static Kind, namespace: &str, name: &str, uid: &str) -> Result<(), ApiError>;
    /// A service account's token bound to a pod.
    async fn token(&self, request: &TokenRequest) -> Result<Token, ApiError>;
    /// The cluster's certificate authority, PEM.
    fn ca_certificate(&self) -> String;
}

/// A token wanted for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Namespace of the service account and the pod.
    pub namespace: String,
    /// Service account.
    pub service_account: String,
    /// Audiences; empty is the API server's own.
    pub audiences: Vec<String>,
    /// Asked lifetime in seconds.
    pub expiration_seconds: i64,
    /// The pod's name, to which the token is bound.
    pub pod_name: String,
    /// The pod's uid.
    pub pod_uid: String,
}

/// A token as issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token itself.
    pub token: String,
    /// When it stops being valid.
    pub expires: Timestamp,
}

/// Something that changed and that the node may have to follow.
#[derive(Clone, Debug)]
pub enum Change {
    /// A pod was made or changed.
    PodChanged(Arc<Value>),
    /// A pod is no longer in the API.
    PodGone {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// `metadata.uid`.
        uid: String,
    },
    /// A ConfigMap was made, changed or removed.
    ConfigMapChanged {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// A Secret was made, changed or removed.
    SecretChanged {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// A claim (or the volume behind it) was made, changed or removed.
    ClaimChanged {
        /// Namespace; empty for a PersistentVolume.
        namespace: String,
        /// Name; of the claim, or of the volume where the namespace is empty.
        name: String,
    },
    /// Images were added: what waits for one tries again at once.
    ImagesChanged,
}

impl Change {
    /// The change that an API watch event means to a node; `None` where it means nothing.
    pub fn of(kind: &'static Kind, object: &Arc<Value>, gone: bool) -> Option<Self> {
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        Some(match kind.kind {
            "Pod" if gone => Self::PodGone { namespace, name, uid: object.uid().to_owned() },
            "Pod" => Self::PodChanged(object.clone()),
            "ConfigMap" => Self::ConfigMapChanged { namespace, name },
            "Secret" => Self::SecretChanged { namespace, name },
            "PersistentVolumeClaim" | "PersistentVolume" => Self::ClaimChanged { namespace, name },
            _ => return None,
        })
    }
}
