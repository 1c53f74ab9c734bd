//! Proxies, as the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name them; who reads the environment is the caller.

use super::error::{ClientError, ClientErrorKind};
use super::url::Origin;
use http::HeaderValue;
use std::fmt;
use std::net::IpAddr;

/// Which requests go through which proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` addresses: `http://user:password@host:port`, the scheme may be left out.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Hosts that are reached without: names with all below them, addresses, ranges, each with or without port; `*` is all.
    pub except: Vec<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They may hold passwords.
        let set = |proxy: &Option<String>| if proxy.is_some() { "set" } else { "none" };
        f.debug_struct("Proxies").field("http", &set(&self.http)).field("https", &set(&self.https)).field("except", &self.except).finish()
    }
}

/// One proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub origin: Origin,
    user: Option<String>,
}

impl Proxies {
    pub(crate) fn of(&self, origin: &Origin) -> Result<Option<Proxy>, ClientError> {
        let chosen = if origin.tls { &self.https } else { &self.http };
        let Some(chosen) = chosen.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        if origin.is_loopback() || self.except.iter().any(|rule| excepts(rule, origin)) {
            return Ok(None);
        }
        Proxy::parse(chosen).map(Some).map_err(|why| ClientError::new(ClientErrorKind::Proxy, origin, format!("the proxy for it: {why}")))
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err("only http and https proxies are supported".into()),
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, authority) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let origin = Origin::parse(tls, authority).map_err(|error| error.why.to_owned())?;
        Ok(Self { origin, user: user.map(decoded) })
    }

    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let user = self.user.as_deref()?;
        let mut value = HeaderValue::from_str(&format!("Basic {}", base64(user.as_bytes()))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Whether a part of `NO_PROXY` names a server.
fn excepts(rule: &str, origin: &Origin) -> bool {
    let rule = rule.trim().to_ascii_lowercase();
    if rule == "*" {
        return true;
    }
    if let Some((network, bits)) = rule.split_once('/') {
        return in_range(network, bits, &origin.host);
    }
    let (name, port) = match rule.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port.parse().ok()),
        _ => (rule.as_str(), None),
    };
    if port.is_some_and(|port: u16| port != origin.port) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']').trim_start_matches("*.").trim_start_matches('.');
    !name.is_empty() && (origin.host == name || origin.host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
}

fn in_range(network: &str, bits: &str, host: &str) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)), 32u32),
        IpAddr::V6(six) => (u128::from(six), 128),
    };
    let (Ok(network), Ok(bits), Ok(host)) = (network.parse::<IpAddr>(), bits.parse::<u32>(), host.parse::<IpAddr>()) else { return false };
    let ((network, width), (host, other)) = (number(network), number(host));
    let shift = width.saturating_sub(bits);
    width == other && bits <= width && (network ^ host).checked_shr(shift).unwrap_or(0) == 0
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let pair = (byte == b'%').then(|| Some((ahead.next()?, ahead.next()?))).flatten();
        let digits = pair.and_then(|(high, low)| Some(char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?));
        match digits.and_then(|value| u8::try_from(value).ok()) {
            Some(value) => {
                out.push(value);
                bytes = ahead;
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(true, text).expect(text)
    }

    #[test]
    fn exceptions_are_names_addresses_and_ranges() {
        let rows = [
            ("example.com", "example.com", true),
            ("example.com", "a.example.com", true),
            (".example.com", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("example.com", "badexample.com", false),
            ("example.com:5000", "example.com:5000", true),
            ("example.com:5000", "example.com", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.9.8.7", false),
            ("0.0.0.0/0", "11.9.8.7", true),
            ("10.0.0.0/8", "example.com", false),
            ("fd00::/8", "[fd12::1]:5000", true),
            ("*", "anything", true),
            ("", "anything", false),
        ];
        for (rule, host, expected) in rows {
            assert_eq!(excepts(rule, &origin(host)), expected, "{rule} {host}");
        }
    }

    #[test]
    fn passwords_are_decoded_and_never_shown() {
        let proxies = Proxies { https: Some("http://me:p%40ss@proxy.example:3128".into()), ..Default::default() };
        assert!(!format!("{proxies:?}").contains("ss"), "{proxies:?}");
        let proxy = proxies.of(&origin("example.com")).expect("proxy").expect("one");
        assert_eq!(proxy.origin.to_string(), "http://proxy.example:3128");
        assert_eq!(proxy.authorization().expect("header").to_str().expect("text"), format!("Basic {}", base64(b"me:p@ss")));
        assert!(proxies.of(&origin("localhost:1")).expect("direct").is_none());
        let wrong = Proxies { https: Some("socks5://user:secret@h".into()), ..Default::default() };
        let error = wrong.of(&origin("example.com")).err().expect("socks");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
