//! TLS of the side that asks: whom to trust, and which protocol to offer.

use crate::config::{ConfigError, Trust};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What a connection over TLS begins with.
#[derive(Clone, Debug)]
pub(crate) struct Secure {
    pub config: Arc<ClientConfig>,
    pub name: ServerName<'static>,
}

impl Secure {
    /// For one host and one protocol: nothing else is taken, so that what is measured is what was asked for.
    ///
    /// # Errors
    /// When there is nobody to trust, or the host cannot be in a certificate.
    pub fn new(host: &str, trust: &Trust, http2: bool) -> Result<Self, ConfigError> {
        let failed = |what: &'static str| move |reason: String| ConfigError::Tls { what, reason };
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed("TLS versions")(error.to_string()))?;
        let mut config = match trust {
            Trust::Anybody => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth(),
            Trust::Machine => builder.with_root_certificates(machine()?).with_no_client_auth(),
            Trust::Authorities(pem) => builder.with_root_certificates(authorities(pem)?).with_no_client_auth(),
        };
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed("the host's name")(error.to_string()))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

fn machine() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some of what machines trust is older than today's rules; the rest is enough.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let first = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
        let reason = format!("{first}; name the service's own with `--cacert FILE`, or trust all with `--insecure`");
        return Err(ConfigError::Tls { what: "certificates that this machine trusts", reason });
    }
    Ok(roots)
}

fn authorities(pem: &str) -> Result<RootCertStore, ConfigError> {
    let wrong = |reason: String| ConfigError::Tls { what: "the authorities' certificates (`--cacert`)", reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(roots) }
}

/// Takes every certificate; whoever shows it must still have its key.
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
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_or_refused() {
        for wrong in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let told = Secure::new("a", &Trust::Authorities(wrong.to_owned()), false).expect_err("no authority").to_string();
            assert!(told.contains("--cacert"), "{told}");
        }
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("made");
        let secure = Secure::new("127.0.0.1", &Trust::Authorities(made.cert.pem()), true).expect("read");
        assert_eq!(secure.config.alpn_protocols, [b"h2".to_vec()]);
        assert!(Secure::new("a b", &Trust::Anybody, true).is_err());
    }
}
