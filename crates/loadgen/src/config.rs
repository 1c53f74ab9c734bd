//! What is to be asked, how often, and what is good enough.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
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

/// What is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// So many may fail (`--max-failed`).
    pub max_failed: Option<u64>,
    /// So long may 99 % take (`--p99`).
    pub p99: Option<Duration>,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://HOST[:PORT]/PATH`.
    pub url: String,
    /// Where to connect instead of where the URL says.
    pub connect_to: Option<SocketAddr>,
    /// `-m`.
    pub method: Method,
    /// `-H`; a `Host` here replaces the URL's.
    pub headers: HeaderMap,
    /// `-d`.
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
    /// `--h2`.
    pub http2: bool,
    /// Threads; `None` is one for each processor, and no more than connections.
    pub threads: Option<usize>,
    /// What is good enough.
    pub limits: Limits,
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
            threads: None,
            limits: Limits::default(),
        }
    }
}

/// A setting that cannot be used, with the way out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not a URL that can be asked.
    #[error("`{0}` is no URL of the form `http://HOST[:PORT]/PATH`")]
    Url(String),
    /// Not served yet.
    #[error("{0} is not supported yet")]
    Unsupported(&'static str),
    /// A number out of its range.
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
}

/// What every request is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host without brackets, as it is looked up.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The request as it goes over the wire.
    pub request: Bytes,
    /// Whether answers have no body (`HEAD`).
    pub bodiless: bool,
    /// Whether a second try does no harm (RFC 9110, 9.2.2).
    pub idempotent: bool,
}

impl Target {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        check_numbers(config)?;
        if config.http2 {
            return Err(ConfigError::Unsupported("HTTP/2 (`--h2`)"));
        }
        let wrong = || ConfigError::Url(config.url.clone());
        let uri: Uri = config.url.parse().map_err(|_| wrong())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(ConfigError::Unsupported("load over https")),
            _ => return Err(wrong()),
        }
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(80),
            request: request(config, path, authority.as_str()),
            bodiless: config.method == Method::HEAD,
            idempotent: config.method.is_idempotent(),
        })
    }
}

fn check_numbers(config: &Config) -> Result<(), ConfigError> {
    if config.concurrency == 0 {
        return Err(ConfigError::Number("the number of connections (`-c`) must be at least 1"));
    }
    if matches!(config.amount, Amount::Requests(0)) || matches!(config.amount, Amount::Time(time) if time.is_zero()) {
        return Err(ConfigError::Number("the number of requests (`-n`) or the time (`-z`) must be more than nothing"));
    }
    match config.pace {
        Pace::Arrivals(rate) | Pace::PerConnection(rate) if !(rate.is_finite() && rate > 0.0 && rate <= 10_000_000.0) => {
            Err(ConfigError::Number("a rate (`--rate`, `-q`) must be between 0 and 10000000 requests a second"))
        }
        _ if config.timeout.is_zero() => Err(ConfigError::Number("the time-out must be more than nothing")),
        _ => Ok(()),
    }
}

fn request(config: &Config, path: &str, authority: &str) -> Bytes {
    let mut bytes = Vec::with_capacity(256 + config.body.len());
    let mut line = |name: &[u8], value: &[u8]| bytes.extend([name, value, b"\r\n"].concat());
    line(config.method.as_str().as_bytes(), format!(" {path} HTTP/1.1").as_bytes());
    if !config.headers.contains_key(header::HOST) {
        line(b"Host: ", authority.as_bytes());
    }
    if !config.headers.contains_key(header::USER_AGENT) {
        line(b"User-Agent: ", b"wharf");
    }
    for (name, value) in config.headers.iter().filter(|(name, _)| is_callers(name)) {
        line(format!("{name}: ").as_bytes(), HeaderValue::as_bytes(value));
    }
    if !config.body.is_empty() || matches!(config.method, Method::POST | Method::PUT | Method::PATCH) {
        line(b"Content-Length: ", config.body.len().to_string().as_bytes());
    }
    if !config.keep_alive {
        line(b"Connection: ", b"close");
    }
    line(b"", b"");
    bytes.extend_from_slice(&config.body);
    bytes.into()
}

// How a message is cut is ours to say: another word on it would make two requests of one.
fn is_callers(name: &HeaderName) -> bool {
    ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(config: &Config) -> String {
        String::from_utf8(Target::of(config).expect("a target").request.to_vec()).expect("text")
    }

    #[test]
    fn requests_are_as_they_were_asked_for() {
        let mut config = Config::new("http://127.0.0.1:32000/jobs?a=b");
        assert_eq!(text(&config), "GET /jobs?a=b HTTP/1.1\r\nHost: 127.0.0.1:32000\r\nUser-Agent: wharf\r\n\r\n");
        config.method = Method::POST;
        config.keep_alive = false;
        config.body = Bytes::from_static(b"x=1");
        config.headers.insert("authorization", HeaderValue::from_static("mytoken"));
        config.headers.insert("host", HeaderValue::from_static("jobs.local"));
        config.headers.insert("content-length", HeaderValue::from_static("9"));
        let expected = "POST /jobs?a=b HTTP/1.1\r\nUser-Agent: wharf\r\nauthorization: mytoken\r\nhost: jobs.local\r\nContent-Length: 3\r\nConnection: close\r\n\r\nx=1";
        assert_eq!(text(&config), expected);
    }

    #[test]
    fn hosts_and_ports_are_read() {
        for (url, host, port) in [("http://a", "a", 80), ("http://[::1]:81/", "::1", 81), ("http://a.b:1/x#y", "a.b", 1)] {
            let target = Target::of(&Config::new(url)).expect(url);
            assert_eq!((target.host.as_str(), target.port), (host, port), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        for (url, part) in [("ftp://a/", "no URL"), ("a/b", "no URL"), ("http://u@a/", "no URL"), ("https://a/", "not supported yet")] {
            assert!(Target::of(&Config::new(url)).expect_err(url).to_string().contains(part), "{url}");
        }
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::new("http://a/");
            change(&mut config);
            Target::of(&config).expect_err("refused").to_string()
        };
        assert!(refused(|config| config.http2 = true).contains("--h2"));
        assert!(refused(|config| config.concurrency = 0).contains("-c"));
        assert!(refused(|config| config.pace = Pace::Arrivals(f64::NAN)).contains("--rate"));
        assert!(refused(|config| config.amount = Amount::Requests(0)).contains("-n"));
    }
}
