//! What a build reaches beyond its own files: images from registries, and what `ADD` names by its address.

mod bases;
mod cache;
mod fetch;
mod git;
mod remembered;

pub use bases::PulledBases;
pub use cache::{Held, Memory};
pub use fetch::HttpFetch;
pub use git::{HostGit, KEPT as GIT_SEES};
pub use remembered::Memories;

use crate::sandbox::Sandbox;
use base::Problem;
use blobs::Store;
use blobs::remote::Remote;
use builder::Outside;
use net::client::ClientOptions;
use std::sync::Arc;

/// All that a build may reach. It lives as long as its command.
pub struct World<'a> {
    sandbox: Arc<Sandbox>,
    bases: PulledBases<'a>,
    fetch: HttpFetch,
    /// What other machines remember; nothing at first.
    pub memories: Memories,
}

impl<'a> World<'a> {
    /// For the builds of a command; `remote` gives its registries once they are wanted.
    pub fn new(sandbox: &Arc<Sandbox>, store: &Store, remote: impl Fn() -> Result<Remote, Problem> + Send + Sync + 'a) -> Self {
        let options = ClientOptions { proxies: crate::registries::proxies(), ..ClientOptions::default() };
        Self {
            sandbox: Arc::clone(sandbox),
            bases: PulledBases::new(Arc::clone(sandbox), remote, store.clone()),
            fetch: HttpFetch::new(Arc::clone(sandbox), options),
            memories: Memories::none(sandbox, store),
        }
    }

    /// As the builder takes it.
    pub fn outside(&self) -> Outside<'_> {
        Outside { isolate: &*self.sandbox, bases: &self.bases, fetch: &self.fetch, repositories: &HostGit, remembered: &self.memories }
    }
}
