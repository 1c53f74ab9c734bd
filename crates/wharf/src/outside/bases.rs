//! Base images from registries.

use crate::sandbox::Sandbox;
use base::Problem;
use blobs::remote::{Remote, RemoteError};
use blobs::{Image, Store};
use builder::{Bases, Unavailable};
use oci::Reference;
use std::sync::{Arc, Mutex, PoisonError};

/// Pulls images into the store.
pub struct PulledBases<'a> {
    sandbox: Arc<Sandbox>,
    store: Store,
    make: Box<dyn Fn() -> Result<Remote, Problem> + Send + Sync + 'a>,
    remote: Mutex<Option<Remote>>,
}

impl<'a> PulledBases<'a> {
    /// Asks nobody yet, and reads no settings: most builds have their bases here. It waits on the sandbox's threads.
    pub fn new(sandbox: Arc<Sandbox>, make: impl Fn() -> Result<Remote, Problem> + Send + Sync + 'a, store: Store) -> Self {
        Self { sandbox, store, make: Box::new(make), remote: Mutex::default() }
    }

    fn remote(&self) -> Result<Remote, Problem> {
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*remote {
            return Ok(remote.clone());
        }
        Ok(remote.insert((self.make)()?).clone())
    }
}

impl Bases for PulledBases<'_> {
    fn find(&self, reference: &Reference) -> Result<Option<Image>, Unavailable> {
        let remote = self.remote().map_err(|problem| {
            let found = problem.findings.iter().map(|finding| format!("; {}: {}", finding.place, finding.message)).collect::<String>();
            Unavailable { message: format!("{}{found}", problem.message), hint: problem.hints.join("; "), is_unreachable: false }
        })?;
        let pulled = self.sandbox.tokio().block_on(remote.pull(&self.store, reference, None, &|_| {}));
        pulled.map(Some).map_err(|error| told(&error))
    }
}

fn told(error: &RemoteError) -> Unavailable {
    let load = "`wharf image load ARCHIVE` brings an image in without a registry";
    let hint = error.hint().map_or_else(|| load.to_owned(), |hint| format!("{hint}; or {load}"));
    Unavailable { message: error.to_string(), hint, is_unreachable: error.is_unreachable() }
}
