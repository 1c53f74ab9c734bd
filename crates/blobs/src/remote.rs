//! Registries (distribution spec 1.1): images pulled into the store and pushed out of it.
//!
//! Nothing here reads the environment: credentials, mirrors and proxies are handed in, and every [`Remote`] stands for itself, so that
//! a thread of the engine can use one as well as a command. Calls are to be made within a tokio runtime.

mod answer;
mod artifact;
mod auth;
mod base;
mod credential;
mod download;
mod error;
mod exchange;
mod login;
mod manifest;
mod partial;
mod platform;
mod progress;
mod pull;
mod push;
mod upload;

pub use artifact::Artifact;
pub use credential::{Credentials, HandedOver, NoCredentials};
pub use error::RemoteError;
pub use login::Greeting;
pub use manifest::Resolved;
pub use oci::registry::{Credential, Secret};
pub use partial::Described;
pub(crate) use platform::fits;
pub use platform::{host_platform, parse_platform};
pub use progress::{Progress, Step};
pub use pull::{Before, Pulled};
pub use push::Pushed;

use net::client::{Client, ClientOptions, Proxies};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How registries are spoken to.
#[derive(Clone)]
pub struct RemoteOptions {
    /// Hosts (`host` or `host:port`) that are spoken to without checking who they are, or in plain HTTP. This machine always is.
    pub insecure: Vec<String>,
    /// By registry host: hosts or base addresses that are asked first when something is pulled.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Who we are.
    pub credentials: Arc<dyn Credentials>,
    /// Blobs of one image at once.
    pub parallel: usize,
    /// Further tries of what failed in passing.
    pub retries: u32,
    /// The longest wait that a registry may ask for.
    pub max_wait: Duration,
    /// Bytes of one unpacked layer.
    pub max_layer_bytes: u64,
    /// The most bytes of a blob in one request; without it all of it, and 8 MiB where that is refused.
    pub chunk_bytes: Option<usize>,
    /// Through which proxies.
    pub proxies: Proxies,
    /// Certificates in PEM of authorities that are trusted beside the system's.
    pub authorities: Vec<String>,
    /// For a connection to be made.
    pub connect_time: Duration,
    /// For silence in the middle of something.
    pub stall_time: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        let client = ClientOptions::default();
        Self {
            insecure: Vec::new(),
            mirrors: BTreeMap::new(),
            credentials: Arc::new(NoCredentials),
            parallel: 4,
            retries: 4,
            max_wait: Duration::from_secs(60),
            max_layer_bytes: 64 << 30,
            chunk_bytes: None,
            proxies: Proxies::default(),
            authorities: Vec::new(),
            connect_time: client.connect_time,
            stall_time: client.stall_time,
        }
    }
}

/// All registries; cheap to clone, clones share connections and tokens.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

struct Inner {
    options: RemoteOptions,
    client: Client,
    auth: auth::Auth,
    bases: base::Bases,
}

impl Remote {
    /// Connects to nothing yet.
    pub fn new(options: RemoteOptions) -> Self {
        let client = Client::new(ClientOptions {
            connect_time: options.connect_time,
            stall_time: options.stall_time,
            proxies: options.proxies.clone(),
            authorities: options.authorities.clone(),
            ..ClientOptions::default()
        });
        Self { inner: Arc::new(Inner { options, client, auth: auth::Auth::default(), bases: base::Bases::default() }) }
    }
}

/// Runs what waits on the disk where it may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, crate::BlobError> + Send + 'static) -> Result<T, RemoteError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(RemoteError::Store),
        Err(error) => Err(RemoteError::Unsupported(format!("a thread ended early: {error}"))),
    }
}
