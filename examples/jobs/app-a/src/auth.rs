//! Asks app-b whether a token is known, over connections that are kept.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// What app-b said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A user has this token.
    Known,
    /// Nobody has.
    Unknown,
    /// app-b did not answer in time.
    Unreachable,
}

/// The way to app-b.
pub struct Auth {
    backend: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

const ANSWER_TIME: Duration = Duration::from_secs(2);

impl Auth {
    /// `backend` is `host:port`.
    pub fn new(backend: String) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(ANSWER_TIME));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(16)
            .build(connector);
        Self { backend, client }
    }

    /// Asks about one token.
    pub async fn ask(&self, token: &[u8]) -> Verdict {
        tokio::time::timeout(ANSWER_TIME, self.post(token)).await.unwrap_or(Verdict::Unreachable)
    }

    async fn post(&self, token: &[u8]) -> Verdict {
        let request = Request::post(format!("http://{}/auth", self.backend))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(format!("token={}", percent(token)))));
        let Ok(request) = request else { return Verdict::Unreachable };
        let Ok(response) = self.client.request(request).await else { return Verdict::Unreachable };
        let status = response.status();
        // Read to its end so that the connection can be used again.
        if Limited::new(response.into_body(), 4_096).collect().await.is_err() {
            return Verdict::Unreachable;
        }
        match status {
            StatusCode::OK => Verdict::Known,
            StatusCode::UNAUTHORIZED => Verdict::Unknown,
            _ => Verdict::Unreachable,
        }
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
fn percent(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_tokens_stay_one_field() {
        assert_eq!(percent(b"a&token=mytoken\r\n'\xff"), "a%26token%3Dmytoken%0D%0A%27%FF");
    }

    #[tokio::test]
    async fn an_absent_backend_is_unreachable_in_time() {
        // A listener that never accepts nor answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let auth = Auth::new(silent.local_addr().expect("its address").to_string());
        let began = std::time::Instant::now();
        assert_eq!(auth.ask(b"x").await, Verdict::Unreachable);
        assert!(began.elapsed() < Duration::from_millis(2_900));
    }
}
