//! Base images from registries.

use crate::sandbox::Sandbox;
use blobs::remote::{Remote, RemoteError};
use blobs::{Image, Store};
use builder::{Bases, Unavailable};
use oci::Reference;
use std::sync::Arc;

/// Pulls images into the store.
pub struct PulledBases {
    sandbox: Arc<Sandbox>,
    remote: Remote,
    store: Store,
}

impl PulledBases {
    /// Asks nobody yet; it waits on the sandbox's threads.
    pub fn new(sandbox: Arc<Sandbox>, remote: Remote, store: Store) -> Self {
        Self { sandbox, remote, store }
    }
}

impl Bases for PulledBases {
    fn find(&self, reference: &Reference) -> Result<Option<Image>, Unavailable> {
        let pulled = self.sandbox.tokio().block_on(self.remote.pull(&self.store, reference, None, &|_| {}));
        pulled.map(Some).map_err(|error| told(&error))
    }
}

fn told(error: &RemoteError) -> Unavailable {
    let load = "`wharf image load ARCHIVE` brings an image in without a registry";
    let hint = error.hint().map_or_else(|| load.to_owned(), |hint| format!("{hint}; or {load}"));
    Unavailable { message: error.to_string(), hint, is_unreachable: error.is_unreachable() }
}
