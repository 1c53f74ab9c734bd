//! TLS settings from PEM, with the ring provider and nothing else.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct TlsError {
    /// Which part.
    pub what: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

fn refused(what: &'static str) -> impl Fn(String) -> TlsError {
    move |reason| TlsError { what, reason }
}

/// Settings of a server that offers h2 and HTTP/1.1, and takes client certificates of an authority but does not ask for one.
///
/// # Errors
/// When a part cannot be read or the key does not fit the certificate.
pub fn server_config(chain_pem: &str, key_pem: &str, client_authority_pem: Option<&str>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates("server certificate", chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| refused("server key")(error.to_string()))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| refused("TLS versions")(error.to_string()))?;
    let builder = match client_authority_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client authority", pem)? {
                roots.add(certificate).map_err(|error| refused("client authority")(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(|error| refused("client authority")(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| refused("server certificate")(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|error| refused(what)(error.to_string()))?;
    if read.is_empty() { Err(refused(what)("holds no certificate".to_owned())) } else { Ok(read) }
}
