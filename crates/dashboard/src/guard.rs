//! Where a request may come from: a page of somebody else's in the same browser is told apart by `Host`, `Origin` and fetch metadata.

use http::request::Parts;
use http::{HeaderName, Method, header};
use net::host::{authority, is_ours, text};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What is wrong with where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// It names the server by a name that is none of ours (DNS rebinding).
    Host,
    /// It was made by another site's page.
    Origin,
}

/// Whether a request may come.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(head: &Parts, hosts: &[String]) -> Result<(), Stranger> {
    let host = authority(head);
    if !is_ours(host, hosts) {
        return Err(Stranger::Host);
    }
    let origin = text(head, &header::ORIGIN);
    let is_safe = head.method == Method::GET || head.method == Method::HEAD;
    let same = origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
    if if origin.is_empty() { !is_safe } else { !same } {
        return Err(Stranger::Origin);
    }
    // Pictures, scripts and the like are fetched without an `Origin`.
    let is_followed = is_safe && text(head, &FETCH_MODE) == "navigate";
    if !is_followed && matches!(text(head, &FETCH_SITE), "cross-site" | "same-site") {
        return Err(Stranger::Origin);
    }
    Ok(())
}

/// Whether somebody followed a link from another site: cookies that are for this site alone are not sent then.
pub(crate) fn comes_from_elsewhere(head: &Parts) -> bool {
    text(head, &FETCH_SITE) == "cross-site" && text(head, &FETCH_MODE) == "navigate"
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn verdict(method: &str, headers: &[(&str, &str)]) -> Result<(), Stranger> {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        check(&head, &["ci.example.com".to_owned()])
    }

    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<(), Stranger>);

    #[test]
    fn only_pages_of_this_server_may_ask() {
        let ours = ("host", "ci.example.com:8080");
        let (host, origin) = (Err(Stranger::Host), Err(Stranger::Origin));
        let rows: [Row<'_>; 17] = [
            ("GET", &[ours], Ok(())),
            ("GET", &[("host", "CI.example.com")], Ok(())),
            ("GET", &[("host", "127.0.0.1:1")], Ok(())),
            ("GET", &[("host", "[::1]:1")], Ok(())),
            ("GET", &[("host", "localhost:1")], Ok(())),
            ("GET", &[("host", "evil.example")], host),
            ("GET", &[("host", "127.0.0.1.evil.example")], host),
            ("GET", &[], host),
            ("POST", &[ours], origin),
            ("POST", &[ours, ("origin", "http://ci.example.com:8080")], Ok(())),
            ("POST", &[ours, ("origin", "http://ci.example.com")], origin),
            ("POST", &[ours, ("origin", "null")], origin),
            ("GET", &[ours, ("origin", "http://evil.example")], origin),
            ("GET", &[ours, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], origin),
            ("GET", &[ours, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], Ok(())),
            ("GET", &[ours, ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")], Ok(())),
            (
                "POST",
                &[ours, ("origin", "http://ci.example.com:8080"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
                origin,
            ),
        ];
        for (method, headers, expected) in rows {
            assert_eq!(verdict(method, headers), expected, "{method} {headers:?}");
        }
    }
}
