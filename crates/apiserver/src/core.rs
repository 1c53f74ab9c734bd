//! What all parts of the server share.

use crate::auth::Auth;
use crate::node_proxy::NodeProxy;
use crate::objects::Objects;
use crate::pki::Pki;
use base::{Clock, Timestamp};
use k8s::{ApiError, Kind};
use net::Draining;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// Shared by requests, the in-process handle and the start.
pub struct Core {
    /// Objects.
    pub objects: Objects,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The node.
    pub node: Arc<dyn NodeProxy>,
    /// Keys and certificates.
    pub pki: Arc<Pki>,
    /// Who may do what.
    pub auth: Auth,
    /// Writes that must see all others of their kind take turns here.
    pub turns: Turns,
    /// Set once the server serves.
    pub draining: OnceLock<Draining>,
}

impl Core {
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Resolves when the server ends; never before it serves.
    pub async fn drained(&self) {
        match self.draining.get() {
            Some(draining) => draining.begun().await,
            None => std::future::pending().await,
        }
    }
}

/// Named locks: quotas of a namespace, addresses and ports of services.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn of a name; it lasts until the answer is dropped.
    pub async fn take(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let found = locks.get(name).and_then(Weak::upgrade);
            found.unwrap_or_else(|| {
                locks.retain(|_, lock| lock.strong_count() > 0);
                let made = Arc::new(tokio::sync::Mutex::new(()));
                locks.insert(name.to_owned(), Arc::downgrade(&made));
                made
            })
        };
        lock.lock_owned().await
    }
}

/// What a commit that failed means to whoever asked.
pub fn commit_error(kind: &Kind, name: &str, error: &store::CommitError) -> ApiError {
    match error {
        store::CommitError::Conflict { .. } => ApiError::conflict(kind, name, MODIFIED),
        store::CommitError::Full(reason) => ApiError::new(507, "InternalError", format!("the disk is full: {reason}")),
        store::CommitError::Stopped(reason) => ApiError::new(500, "InternalError", format!("nothing can be written any more: {reason}")),
    }
}

/// What the API server says of a write that came too late.
pub const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";
