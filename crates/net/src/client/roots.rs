//! Whom TLS trusts: the system's authorities and those that are named, or nobody's word at all.

use super::Trust;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
            Trust::Unchecked => self.unchecked.get_or_init(|| unchecked().map(Arc::new)).clone(),
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
        Trust::Unchecked => unchecked(),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
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
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|error| error.to_string())?;
    let verifier = Arc::new(Named { inner, named });
    Ok(with_http1(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

fn unchecked() -> Result<ClientConfig, String> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.dangerous();
    Ok(with_http1(builder.with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth()))
}

fn with_http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// As everybody checks, and takes a certificate that was itself named for the names in it: one that signs itself as an authority, as
/// `openssl req -x509` makes them, is otherwise taken for no server's.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.named.iter().any(|named| named.as_ref() == certificate.as_ref()) {
            rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.inner.verify_server_cert(certificate, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes every certificate: for hosts that the user named as insecure.
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
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
