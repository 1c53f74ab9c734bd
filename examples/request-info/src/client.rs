//! The client's address: the peer's, or what trusted proxies say of it.

use hyper::HeaderMap;
use std::net::IpAddr;
use std::str::FromStr;

/// Networks of proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

impl FromStr for Networks {
    type Err = String;

    /// Addresses and networks such as `10.0.0.0/8`, by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("TRUSTED_PROXIES: `{text}` is no network; write such as 10.0.0.0/8 or 10.1.2.3");
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(all), str::parse).map_err(|_| wrong())?;
    if bits > all { Err(wrong()) } else { Ok((address, bits)) }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Networks {
    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, bits)| {
            let all = if network.is_ipv4() { 32 } else { 128 };
            let shift = u32::from(all - bits);
            network.is_ipv4() == address.is_ipv4()
                && number(*network).checked_shr(shift).unwrap_or(0) == number(address).checked_shr(shift).unwrap_or(0)
        })
    }

    /// Who asks: the peer, unless it is a trusted proxy; then the last address in `X-Forwarded-For` that no trusted proxy
    /// has. What stands before that anybody can have written.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let forwarded: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        for address in forwarded.iter().rev() {
            if !self.trusts(client) {
                break;
            }
            let Ok(address) = address.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        trusted.parse::<Networks>().expect("networks").client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (trusted, peer, forwarded, wanted) in [
            ("", "10.0.0.1", &["9.9.9.9"][..], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", &["9.9.9.9"], "9.9.9.9"),
            ("10.0.0.0/8", "11.0.0.1", &["9.9.9.9"], "11.0.0.1"),
            // The first was written by the client itself.
            ("10.0.0.0/8", "10.0.0.1", &["1.1.1.1, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.0/8", "10.0.0.1", &["9.9.9.9", "10.2.0.1"], "9.9.9.9"),
            ("10.0.0.0/8", "10.0.0.1", &["9.9.9.9, rubbish"], "10.0.0.1"),
            ("10.0.0.0/8", "10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1,fd00::/8", "fd00::7", &["2001:db8::1"], "2001:db8::1"),
            ("0.0.0.0/0", "10.0.0.1", &["1.1.1.1, 9.9.9.9"], "1.1.1.1"),
            ("10.0.0.1", "::ffff:10.0.0.1", &["9.9.9.9"], "9.9.9.9"),
        ] {
            assert_eq!(client(trusted, peer, forwarded), wanted, "{trusted} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn wrong_networks_are_told() {
        for text in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert!(text.parse::<Networks>().is_err_and(|why| why.contains(text)), "{text}");
        }
        assert_eq!(" , ".parse(), Ok(Networks::default()));
    }
}
