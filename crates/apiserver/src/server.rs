//! Starting, and ending, the API server.

use crate::api::Api;
use crate::auth::Auth;
use crate::bootstrap;
use crate::core::{Core, Turns};
use crate::http::Service;
use crate::node_proxy::NodeProxy;
use crate::objects::Objects;
use crate::pki::{Pki, PkiError, kubeconfig};
use crate::seal::SecretSeal;
use base::Clock;
use k8s::ApiError;
use net::tls::TlsError;
use net::{Limits, Serving, serve};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::{JournalError, Report, Store};
use tokio::net::TcpListener;

/// What a server needs.
pub struct Config {
    /// Where keys (`pki/`) and objects (`store/`) are kept; made with mode 0700.
    pub home: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further addresses that clients reach it at, for its certificate.
    pub addresses: Vec<IpAddr>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The node.
    pub node: Arc<dyn NodeProxy>,
    /// What clients may cost.
    pub limits: Limits,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Keys and certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The store.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The objects that are always there.
    #[error("cannot make {what}: {source}")]
    Bootstrap {
        /// Which object.
        what: String,
        /// Why.
        source: ApiError,
    },
}

/// A running server.
pub struct Server {
    core: Arc<Core>,
    serving: Serving,
}

impl Server {
    /// Starts it: when this returns, it answers. To be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`StartError`] says.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let pki = Arc::new(Pki::open(&config.home.join("pki"), &*config.clock, &config.addresses)?);
        let seal = SecretSeal::new(&pki.seal_key)
            .ok_or_else(|| PkiError::Crypto { what: "secrets.key".to_owned(), reason: "is no AES key".to_owned() })?;
        let store = Store::open(&config.home.join("store"), store::Options { seal: Some(Arc::new(seal)), ..store::Options::default() })?;
        let listener = TcpListener::bind(config.listen).await.map_err(|source| StartError::Listen { address: config.listen, source })?;
        let core = Arc::new(Core {
            objects: Objects::new(store),
            clock: config.clock,
            node: config.node,
            pki: pki.clone(),
            auth: Auth { rules: Default::default(), tokens: Default::default() },
            turns: Turns::default(),
            draining: OnceLock::new(),
        });
        let port = listener.local_addr().map_or(config.listen.port(), |address| address.port());
        bootstrap::make(&core, port, &config.addresses).await.map_err(|(what, source)| StartError::Bootstrap { what, source })?;
        let tls = net::tls::server_config(&pki.server_pem, &pki.server_key_pem, Some(&pki.ca_pem))?;
        let serving = serve(listener, Some(Arc::new(tls)), config.limits, Arc::new(Service(core.clone())));
        let serving = serving.map_err(|source| StartError::Listen { address: config.listen, source })?;
        let _ = core.draining.set(serving.draining());
        Ok(Self { core, serving })
    }

    /// The handle for controllers and the node of this process.
    pub fn api(&self) -> Api {
        Api::new(self.core.clone())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.serving.address
    }

    /// The authority's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.core.pki.ca_pem
    }

    /// What was found when the store was opened.
    pub fn store_report(&self) -> &Report {
        self.core.objects.store.report()
    }

    /// A kubeconfig with the administrator's certificate.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn kubeconfig(&self) -> Result<String, PkiError> {
        let (certificate, key) = self.core.pki.kept_client("admin", &[crate::user::MASTERS], self.core.now())?;
        Ok(kubeconfig(&format!("https://{}", self.address()), &self.core.pki.ca_pem, &certificate, &key))
    }

    /// A kubeconfig for any user.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<String, PkiError> {
        let (certificate, key) = self.core.pki.client(user, groups, self.core.now())?;
        Ok(kubeconfig(&format!("https://{}", self.address()), &self.core.pki.ca_pem, &certificate, &key))
    }

    /// Ends it: no new connections, watches end, requests in flight finish within the grace time.
    pub async fn drain(self, grace: Duration) {
        self.serving.drain(grace).await;
    }
}
