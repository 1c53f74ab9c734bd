//! Connections to pods, plain or within TLS.

use super::locate::Place;
use super::unreachable;
use crate::core::Core;
use crate::node_proxy::Duplex;
use k8s::ApiError;
use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
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
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(unreachable)?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth();
    let name = ServerName::IpAddress(place.address.ip().into());
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, plain).await.map_err(unreachable)?;
    Ok(Box::new(stream))
}

/// Takes every certificate, but still wants its key's signature.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
