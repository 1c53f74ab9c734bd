//! What is to be asked, how often, and what is good enough.

use crate::judge::Before;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use std::net::SocketAddr;
use std::time::Duration;

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many requests (`-n`).
    Requests(u64),
    /// For so long (`-z`).
    Time(Duration),
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each connection as soon as it is answered.
    Free,
    /// Each connection at most so many a second (`-q`); what was missed is not made up.
    PerConnection(f64),
    /// So many a second in all, due at equal distances, whatever the answers do (`--rate`).
    Arrivals(f64),
}

/// Whose certificates are good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that this machine trusts.
    #[default]
    Machine,
    /// Those too that are in this PEM, or that one of them signed (`--cacert`).
    Authorities(String),
    /// All (`--insecure`).
    Anybody,
}

/// What is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// So many may fail (`--max-failed`).
    pub max_failed: Option<u64>,
    /// So long may half of them take (`--p50`).
    pub p50: Option<Duration>,
    /// So long may 95 % take (`--p95`).
    pub p95: Option<Duration>,
    /// So long may 99 % take (`--p99`).
    pub p99: Option<Duration>,
    /// By such a part may the p99 be longer than [`Config::before`]'s: 0.2 is 20 %.
    pub worse_than: Option<f64>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://HOST[:PORT]/PATH`, or `https`.
    pub url: String,
    /// Where to connect instead of where the URL says.
    pub connect_to: Option<SocketAddr>,
    /// `-m`.
    pub method: Method,
    /// `-H`; a `Host` here replaces the URL's.
    pub headers: HeaderMap,
    /// `-d`, `-D`.
    pub body: Bytes,
    /// `-n` or `-z`.
    pub amount: Amount,
    /// Connections (`-c`).
    pub concurrency: usize,
    /// `-q`, `--rate`, or neither.
    pub pace: Pace,
    /// For one request with all that belongs to it.
    pub timeout: Duration,
    /// Whether a connection is used for more than one request.
    pub keep_alive: bool,
    /// `--h2`: over TLS by ALPN, else with prior knowledge.
    pub http2: bool,
    /// Requests at a time on each connection of HTTP/2.
    pub streams: usize,
    /// Of `https`.
    pub trust: Trust,
    /// Threads; `None` is one for each processor, and no more than connections or a rate need.
    pub threads: Option<usize>,
    /// What is good enough.
    pub limits: Limits,
    /// What was measured before, to compare with.
    pub before: Option<Before>,
}

impl Config {
    /// 200 GET requests on 50 connections that are kept, 20 s each: hey's defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_to: None,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            amount: Amount::Requests(200),
            concurrency: 50,
            pace: Pace::Free,
            timeout: Duration::from_secs(20),
            keep_alive: true,
            http2: false,
            streams: 1,
            trust: Trust::default(),
            threads: None,
            limits: Limits::default(),
            before: None,
        }
    }

    /// The first number that is out of its range.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |sentence| Err(ConfigError::Number(sentence));
        if !(1..=MOST_CONNECTIONS).contains(&self.concurrency) {
            return wrong("the number of connections (`-c`) lies between 1 and 60000");
        }
        if !(1..=MOST_STREAMS).contains(&self.streams) || (self.streams > 1 && !self.http2) {
            return wrong("requests at a time on one connection (`--streams`) are for HTTP/2, between 1 and 1000");
        }
        if matches!(self.amount, Amount::Requests(0)) || matches!(self.amount, Amount::Time(time) if time.is_zero()) {
            return wrong("the number of requests (`-n`) or the time (`-z`) must be more than nothing");
        }
        match self.pace {
            Pace::Arrivals(rate) | Pace::PerConnection(rate) if !(rate.is_finite() && rate > 0.0 && rate <= 10_000_000.0) => {
                wrong("a rate (`--rate`, `-q`) must be between 0 and 10000000 requests a second")
            }
            _ if self.timeout.is_zero() => wrong("the time-out must be more than nothing"),
            _ => Ok(()),
        }
    }
}

/// A machine has no more ports for one address.
const MOST_CONNECTIONS: usize = 60_000;
/// Servers allow 100 to 250 as a rule.
const MOST_STREAMS: usize = 1_000;

/// The header of basic authentication (RFC 7617) for `USER:PASSWORD` (`-a`); it is not shown where headers are.
///
/// # Errors
/// When there is no colon.
pub fn basic(credentials: &str) -> Result<HeaderValue, ConfigError> {
    if !credentials.contains(':') {
        return Err(ConfigError::Number("`-a` takes `USER:PASSWORD`"));
    }
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)))
        .map_err(|_| ConfigError::Number("`-a` takes `USER:PASSWORD`"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A setting that cannot be used, with the way out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not a URL that can be asked.
    #[error("`{0}` is no URL of the form `http://HOST[:PORT]/PATH`, or `https`")]
    Url(String),
    /// A number out of its range, or a value of another form.
    #[error("{0}")]
    Number(&'static str),
    /// The host has no address.
    #[error("cannot find `{host}`: {reason}")]
    Host {
        /// The name.
        host: String,
        /// Why not.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("{what}: {reason}")]
    Tls {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This machine gives too little.
    #[error("{0}")]
    Machine(String),
}
