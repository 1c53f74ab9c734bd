//! TLS of the side that asks: whom to trust, and which protocol to offer.

use crate::config::{ConfigError, Trust};
use net::client::tls_config;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
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
        let made = match trust {
            Trust::Anybody => tls_config(&[], net::client::Trust::Unchecked),
            Trust::Machine => tls_config(&[], net::client::Trust::Checked),
            Trust::Authorities(pem) => {
                if CertificateDer::pem_slice_iter(pem.as_bytes()).next().is_none() {
                    return Err(failed("authorities (`--cacert`)")("there is no certificate in it".to_owned()));
                }
                tls_config(std::slice::from_ref(pem), net::client::Trust::Checked)
            }
        };
        let mut config = made.map_err(failed("whom to trust"))?;
        if http2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed("the host's name")(error.to_string()))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_or_refused() {
        for wrong in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Secure::new("a", &Trust::Authorities(wrong.to_owned()), false).is_err(), "{wrong}");
        }
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("made");
        let secure = Secure::new("127.0.0.1", &Trust::Authorities(made.cert.pem()), true).expect("read");
        assert_eq!(secure.config.alpn_protocols, [b"h2".to_vec()]);
        let secure = Secure::new("a", &Trust::Anybody, false).expect("nobody is asked");
        assert_eq!(secure.config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(Secure::new("a b", &Trust::Anybody, true).is_err());
    }
}
