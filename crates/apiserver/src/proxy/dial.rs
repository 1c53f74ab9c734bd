//! Connections to pods, plain or within TLS.

use super::locate::Place;
use super::unreachable;
use crate::core::Core;
use crate::node_proxy::Duplex;
use k8s::ApiError;
use net::client::{Trust, tls_config};
use rustls_pki_types::ServerName;
use std::sync::Arc;

/// Connects; a pod's certificate is not looked at, for nobody vouches for it. Source: kubernetes
/// `pkg/controlplane/apiserver/server.go` CreateProxyTransport.
///
/// # Errors
/// 503 when nothing answers.
pub(super) async fn connect(core: &Core, place: &Place) -> Result<Box<dyn Duplex>, ApiError> {
    let plain = core.node.connect(place.address).await?;
    if !place.tls {
        return Ok(plain);
    }
    let config = tls_config(&[], Trust::Unchecked).map_err(unreachable)?;
    let name = ServerName::IpAddress(place.address.ip().into());
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, plain).await.map_err(unreachable)?;
    Ok(Box::new(stream))
}
