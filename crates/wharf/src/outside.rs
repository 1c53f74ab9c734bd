//! What a build reaches beyond its own files: images from registries, and what `ADD` names by its address.

mod bases;
mod fetch;

pub use bases::PulledBases;
pub use fetch::HttpFetch;

use crate::context::Context;
use crate::sandbox::Sandbox;
use base::Problem;
use blobs::Store;
use blobs::remote::{Remote, RemoteOptions};
use builder::Outside;
use net::client::ClientOptions;
use std::sync::Arc;

/// All that a build may reach. It lives as long as its command.
pub struct World {
    sandbox: Arc<Sandbox>,
    bases: PulledBases,
    fetch: HttpFetch,
}

impl World {
    /// For the builds of a command.
    ///
    /// # Errors
    /// When the settings of its registries are wrong.
    pub fn new(_context: &Context, sandbox: &Arc<Sandbox>, store: &Store) -> Result<Self, Problem> {
        let remote = Remote::new(RemoteOptions::default());
        let bases = PulledBases::new(Arc::clone(sandbox), remote, store.clone());
        Ok(Self { sandbox: Arc::clone(sandbox), bases, fetch: HttpFetch::new(Arc::clone(sandbox), ClientOptions::default()) })
    }

    /// As the builder takes it.
    pub fn outside(&self) -> Outside<'_> {
        Outside { isolate: &*self.sandbox, bases: &self.bases, fetch: &self.fetch }
    }
}
