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
use tokio::net::{TcpListener, TcpSocket};

/// What a server needs.
pub struct Config {
    /// Where keys (`pki/`) and objects (`store/`) are kept; made with mode 0700.
    pub home: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further addresses of this host that it listens at, with the same port: where pods reach it. They may come later.
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
    /// At the further addresses.
    beside: Vec<Serving>,
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
        let beside = config.addresses.iter().map(|address| SocketAddr::new(*address, port));
        let beside = beside
            .filter(|address| *address != config.listen)
            .map(|address| ahead(address).map(|listener| (listener, address)).map_err(|source| StartError::Listen { address, source }));
        let beside: Vec<(TcpListener, SocketAddr)> = beside.collect::<Result<_, _>>()?;
        bootstrap::make(&core, port, &config.addresses).await.map_err(|(what, source)| StartError::Bootstrap { what, source })?;
        let tls = Arc::new(net::tls::server_config(&pki.server_pem, &pki.server_key_pem, Some(&pki.ca_pem))?);
        let service = Arc::new(Service(core.clone()));
        let start = |listener, address| {
            let serving = serve(listener, Some(tls.clone()), config.limits, service.clone());
            serving.map_err(|source| StartError::Listen { address, source })
        };
        let serving = start(listener, config.listen)?;
        let beside = beside.into_iter().map(|(listener, address)| start(listener, address)).collect::<Result<_, _>>()?;
        let _ = core.draining.set(serving.draining());
        Ok(Self { core, serving, beside })
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
        let beside = self.beside.into_iter().map(|serving| serving.drain(grace));
        futures::future::join(self.serving.drain(grace), futures::future::join_all(beside)).await;
    }
}

/// Listens at an address that the host may not have yet: the pod network's, which comes up after the server.
fn ahead(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    rustix::net::sockopt::set_ip_freebind(&socket, true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
