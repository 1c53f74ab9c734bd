//! What a request tells of itself.

use hyper::Request;
use hyper::header::{HeaderName, REFERER, USER_AGENT};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// A request's own data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// `User-Agent`.
    pub browser: Option<String>,
    /// `Referer`.
    pub referer: Option<String>,
    /// The query's parameter `event`.
    pub event: Option<String>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Which release answers.
    pub release: String,
    #[serde(skip)]
    delay: Option<Duration>,
}

impl Info {
    /// Reads a request.
    pub fn of<B>(request: &Request<B>, client: Option<IpAddr>, release: &str) -> Self {
        let header = |name: HeaderName| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let query = request.uri().query().unwrap_or_default();
        Self {
            browser: header(USER_AGENT),
            referer: header(REFERER),
            event: parameter(query, "event"),
            client,
            release: release.to_owned(),
            delay: parameter(query, "delay_ms").and_then(|text| text.parse().ok()).map(Duration::from_millis),
        }
    }

    /// How long the answer is to wait.
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }
}

/// A parameter of a query, the first of its name, decoded as forms encode it (WHATWG URL, `application/x-www-form-urlencoded`).
fn parameter(query: &str, wanted: &str) -> Option<String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(name, _)| decode(name) == wanted)
        .map(|(_, value)| decode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_browser_sends() {
        let request = Request::get("/?a=b&event=spring+sale%20%26%3C&delay_ms=20")
            .header("user-agent", "Browser/1")
            .header("referer", "http://here/")
            .body(())
            .expect("a request");
        let info = Info::of(&request, Some([9, 9, 9, 9].into()), "abc");
        assert_eq!(info.event.as_deref(), Some("spring sale &<"));
        assert_eq!((info.browser.as_deref(), info.referer.as_deref()), (Some("Browser/1"), Some("http://here/")));
        assert_eq!(info.delay(), Some(Duration::from_millis(20)));
        let bare = Info::of(&Request::get("/").body(()).expect("a request"), None, "abc");
        assert_eq!((bare.event, bare.browser, bare.client, bare.delay), (None, None, None, None));
    }

    #[test]
    fn odd_queries_are_read_as_they_stand() {
        for (query, wanted) in [
            ("event", Some("")),
            ("event=", Some("")),
            ("event=%ff", Some("\u{fffd}")),
            ("event=%", Some("%")),
            ("events=1", None),
            ("%65vent=1&event=2", Some("1")),
        ] {
            assert_eq!(parameter(query, "event").as_deref(), wanted, "{query}");
        }
    }
}
