//! Whom TLS trusts: the system's authorities and those that are named, or nobody's word at all.

use super::Trust;
use super::verifier::{Known, Verifier};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, OnceLock};

/// Made when first needed: reading the system's authorities takes some milliseconds.
#[derive(Debug)]
pub(crate) struct Roots {
    extra: Vec<String>,
    checked: OnceLock<Result<Arc<ClientConfig>, String>>,
    unchecked: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Roots {
    pub(crate) fn new(extra: Vec<String>) -> Self {
        Self { extra, checked: OnceLock::new(), unchecked: OnceLock::new() }
    }

    pub(crate) fn config(&self, trust: Trust) -> Result<Arc<ClientConfig>, String> {
        match trust {
            Trust::Checked => self.checked.get_or_init(|| checked(&self.extra).map(Arc::new)).clone(),
            Trust::Unchecked => self.unchecked.get_or_init(|| with_verifier(None).map(Arc::new)).clone(),
        }
    }
}

/// TLS settings of a client that trusts the system's authorities and those that are named, in PEM; of HTTP/1.1 unless the caller says
/// otherwise.
///
/// # Errors
/// When an authority cannot be read, or there is none.
pub fn tls_config(authorities: &[String], trust: Trust) -> Result<ClientConfig, String> {
    match trust {
        Trust::Checked => checked(authorities),
        Trust::Unchecked => with_verifier(None),
    }
}

fn checked(extra: &[String]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    let mut named = Vec::new();
    for pem in extra {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("a certificate of an authority: {error}"))?;
            roots.add(certificate.clone()).map_err(|error| format!("a certificate of an authority: {error}"))?;
            named.push(certificate);
        }
    }
    if roots.is_empty() {
        let why = system.errors.first().map_or_else(|| "none is installed".to_owned(), ToString::to_string);
        return Err(format!("this machine trusts no authority ({why}); install the package `ca-certificates`"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| error.to_string())?;
    with_verifier(Some(Known { inner, named }))
}

fn with_verifier(known: Option<Known>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.dangerous();
    let verifier = Arc::new(Verifier { provider, known });
    let mut config = builder.with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
