//! Why a request had no answer.

use super::url::Origin;
use std::fmt;
use std::time::Duration;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientErrorKind {
    /// An address that cannot be used.
    Url,
    /// No address for the name.
    Resolve,
    /// No connection.
    Connect,
    /// No TLS, or a certificate that is not trusted.
    Tls,
    /// The proxy said no, or is none.
    Proxy,
    /// Silence.
    Slow,
    /// The connection broke.
    Broken,
    /// What was to be sent could not be made.
    Payload,
    /// An answer that is longer than allowed.
    TooLarge,
}

/// Why a request had no answer. Nothing of the request's headers or path is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// What kind of failure it was.
    pub kind: ClientErrorKind,
    /// With whom: `https://host:port`.
    pub origin: String,
    /// What happened.
    pub why: String,
}

impl ClientError {
    pub(crate) fn new(kind: ClientErrorKind, origin: &Origin, why: impl Into<String>) -> Self {
        Self { kind, origin: origin.to_string(), why: why.into() }
    }

    pub(crate) fn slow(origin: &Origin, what: &str, time: Duration) -> Self {
        Self::new(ClientErrorKind::Slow, origin, format!("{what} did not come within {} s", time.as_secs_f32()))
    }

    pub(crate) fn broken(origin: &Origin, error: &hyper::Error) -> Self {
        let kind = if error.is_user() { ClientErrorKind::Payload } else { ClientErrorKind::Broken };
        Self::new(kind, origin, sources(error))
    }

    /// Whether nobody answered at all, so that the request was certainly not acted on.
    pub fn is_unreached(&self) -> bool {
        matches!(self.kind, ClientErrorKind::Resolve | ClientErrorKind::Connect | ClientErrorKind::Tls | ClientErrorKind::Proxy)
    }

    /// Whether another try may go better.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, ClientErrorKind::Resolve | ClientErrorKind::Connect | ClientErrorKind::Slow | ClientErrorKind::Broken)
    }
}

/// An error with what caused it, each said once.
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        inner = error.source();
    }
    text
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.origin, self.why)
    }
}

impl std::error::Error for ClientError {}
