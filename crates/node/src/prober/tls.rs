//! TLS for probes: encrypted, not verified, as `scheme: HTTPS` means (core/v1 `HTTPGetAction`).

use net::client::{Trust, tls_config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(super) async fn wrap(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| tls_config(&[], Trust::Unchecked).map(Arc::new)).clone()?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())
}
