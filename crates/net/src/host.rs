//! By what name a server was called: a page of somebody else's in a browser can have its own name lead here (DNS rebinding).

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, header};
use std::net::IpAddr;

/// The name and port that a request was sent to, or nothing.
pub fn authority(head: &Parts) -> &str {
    head.uri.authority().map_or_else(|| text(head, &header::HOST), Authority::as_str)
}

/// Whether a name, with or without a port, is one of a server's own. Addresses and `localhost` cannot be given to somebody else's
/// name, so they always are.
pub fn is_ours(authority: &str, hosts: &[String]) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    is_address || host.eq_ignore_ascii_case("localhost") || hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
}

/// A header as text, empty when it is missing; `?`, which is no name at all, when it is no text.
pub fn text<'a>(head: &'a Parts, name: &HeaderName) -> &'a str {
    head.headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn names_are_ours_only_when_they_are_named() {
        let hosts = ["ci.example.com".to_owned()];
        for ours in ["ci.example.com", "CI.Example.com:8080", "127.0.0.1:1", "[::1]:1", "localhost", "LOCALHOST:9"] {
            assert!(is_ours(ours, &hosts), "{ours}");
        }
        for other in ["", "?", "evil.example", "127.0.0.1.evil.example", "a.ci.example.com", "ci.example.com.", "a b"] {
            assert!(!is_ours(other, &hosts), "{other}");
        }
    }
}
