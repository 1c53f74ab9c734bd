//! What every request is made of, put together once.

use crate::config::{Config, ConfigError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

/// What every request is made of.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host without brackets, as it is looked up.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether it is asked over TLS.
    pub secure: bool,
    /// The request of HTTP/1.1 as it goes over the wire.
    pub request: Bytes,
    /// The head of HTTP/2.
    pub head: Request<()>,
    /// The body of HTTP/2.
    pub body: Bytes,
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
        config.check()?;
        let wrong = || ConfigError::Url(config.url.clone());
        let uri: Uri = config.url.parse().map_err(|_| wrong())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // `http` takes `:99999` for no port at all.
        let misread = authority.port_u16().is_none() && authority.as_str().len() > authority.host().len() + 1;
        if host.is_empty() || authority.as_str().contains('@') || misread {
            return Err(wrong());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            secure,
            request: wire(config, path, authority.as_str()),
            head: head(config, path, authority.as_str(), secure).ok_or_else(wrong)?,
            body: config.body.clone(),
            bodiless: config.method == Method::HEAD,
            idempotent: config.method.is_idempotent(),
        })
    }
}

fn wire(config: &Config, path: &str, authority: &str) -> Bytes {
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
    if tells_length(config) {
        line(b"Content-Length: ", config.body.len().to_string().as_bytes());
    }
    if !config.keep_alive {
        line(b"Connection: ", b"close");
    }
    line(b"", b"");
    bytes.extend_from_slice(&config.body);
    bytes.into()
}

/// RFC 9113, 8.3.1: the host is the authority, and there is no word about the connection.
fn head(config: &Config, path: &str, authority: &str, secure: bool) -> Option<Request<()>> {
    let authority = config.headers.get(header::HOST).map_or(Some(authority), |host| host.to_str().ok())?;
    let uri = Uri::builder().scheme(if secure { "https" } else { "http" }).authority(authority).path_and_query(path).build().ok()?;
    let mut headers: HeaderMap = config.headers.iter().filter(|(name, _)| is_callers(name) && **name != header::HOST).fold(
        HeaderMap::new(),
        |mut headers, (name, value)| {
            headers.append(name.clone(), value.clone());
            headers
        },
    );
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("wharf"));
    if tells_length(config) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(config.body.len()));
    }
    let mut request = Request::builder().method(config.method.clone()).uri(uri).body(()).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

fn tells_length(config: &Config) -> bool {
    !config.body.is_empty() || matches!(config.method, Method::POST | Method::PUT | Method::PATCH)
}

// How a message is cut is ours to say: another word on it would make two requests of one.
fn is_callers(name: &HeaderName) -> bool {
    ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE, header::TE].contains(name)
        && !["keep-alive", "proxy-connection"].contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Amount, Pace};

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
        config.headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        let expected = "POST /jobs?a=b HTTP/1.1\r\nUser-Agent: wharf\r\nauthorization: mytoken\r\nhost: jobs.local\r\nContent-Length: 3\r\nConnection: close\r\n\r\nx=1";
        assert_eq!(text(&config), expected);
        let head = Target::of(&config).expect("a target").head;
        assert_eq!((head.uri().to_string().as_str(), head.method()), ("http://jobs.local/jobs?a=b", &Method::POST));
        let mut names: Vec<_> = head.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "content-length", "user-agent"]);
    }

    #[test]
    fn hosts_and_ports_are_read() {
        for (url, host, port, secure) in [
            ("http://a", "a", 80, false),
            ("http://[::1]:81/", "::1", 81, false),
            ("http://a.b:1/x#y", "a.b", 1, false),
            ("https://a", "a", 443, true),
            ("https://a:8443/", "a", 8443, true),
        ] {
            let target = Target::of(&Config::new(url)).expect(url);
            assert_eq!((target.host.as_str(), target.port, target.secure), (host, port, secure), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        for url in ["ftp://a/", "a/b", "http://u@a/", "http:///x", "http://a:99999/"] {
            assert!(Target::of(&Config::new(url)).expect_err(url).to_string().contains("no URL"), "{url}");
        }
        let refused = |change: fn(&mut Config)| {
            let mut config = Config::new("http://a/");
            change(&mut config);
            Target::of(&config).expect_err("refused").to_string()
        };
        assert!(refused(|config| config.concurrency = 0).contains("-c"));
        assert!(refused(|config| config.concurrency = 1_000_000).contains("-c"));
        assert!(refused(|config| config.streams = 2).contains("--streams"));
        assert!(refused(|config| config.pace = Pace::Arrivals(f64::NAN)).contains("--rate"));
        assert!(refused(|config| config.amount = Amount::Requests(0)).contains("-n"));
    }
}
