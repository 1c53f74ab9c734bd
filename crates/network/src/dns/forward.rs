//! Names of the world: asked of the machine's own name servers.

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::{Name, Record, RecordType};
use hickory_server::resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_server::resolver::net::runtime::TokioRuntimeProvider;
use hickory_server::resolver::net::{DnsError, NetError};
use hickory_server::resolver::{Resolver, TokioResolver};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Answers kept: a small cache, for a small process.
const KEPT: u64 = 1024;

/// What the world said.
#[derive(Debug)]
pub(super) struct Found {
    pub code: ResponseCode,
    pub answers: Vec<Record>,
    pub authorities: Vec<Record>,
}

/// The machine's name servers, read again when their file has changed.
pub(super) struct Forward {
    resolv_conf: PathBuf,
    own: Ipv4Addr,
    current: Mutex<Option<(Option<SystemTime>, TokioResolver)>>,
}

impl Forward {
    pub fn new(resolv_conf: PathBuf, own: Ipv4Addr) -> Self {
        Self { resolv_conf, own, current: Mutex::new(None) }
    }

    /// Asks for one name as it stands, without search lists.
    pub async fn ask(&self, name: Name, wanted: RecordType) -> Found {
        let nothing = |code| Found { code, answers: Vec::new(), authorities: Vec::new() };
        let Some(resolver) = self.resolver() else { return nothing(ResponseCode::ServFail) };
        match resolver.lookup(name, wanted).await {
            Ok(lookup) => Found { code: ResponseCode::NoError, answers: lookup.answers().to_vec(), authorities: Vec::new() },
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                let authorities = none.soa.into_iter().map(|soa| soa.into_record_of_rdata()).collect();
                Found { code: none.response_code, answers: Vec::new(), authorities }
            }
            Err(NetError::Dns(DnsError::ResponseCode(code))) => nothing(code),
            Err(_) => nothing(ResponseCode::ServFail),
        }
    }

    fn resolver(&self) -> Option<TokioResolver> {
        let changed = std::fs::metadata(&self.resolv_conf).and_then(|file| file.modified()).ok();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resolver)) = current.as_ref().filter(|(read, _)| *read == changed) {
            return Some(resolver.clone());
        }
        let resolver = self.build();
        *current = resolver.clone().map(|resolver| (changed, resolver));
        resolver
    }

    fn build(&self) -> Option<TokioResolver> {
        let text = std::fs::read_to_string(&self.resolv_conf).ok()?;
        let servers: Vec<NameServerConfig> =
            name_servers(&text).filter(|server| *server != IpAddr::V4(self.own)).map(NameServerConfig::udp_and_tcp).collect();
        if servers.is_empty() {
            return None;
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = KEPT;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        options.preserve_intermediates = true;
        builder.build().ok()
    }
}

/// The addresses of `nameserver` lines (resolv.conf(5)); what is not understood is passed over.
fn name_servers(text: &str) -> impl Iterator<Item = IpAddr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        address.split('%').next()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_the_machines_list() {
        let text = "# nameserver 1.1.1.1\nsearch a b\nnameserver 192.0.2.1\nnameserver\nnameserver x\n nameserver fe80::1%eth0 ; c\noptions ndots:2";
        let found: Vec<String> = name_servers(text).map(|address| address.to_string()).collect();
        assert_eq!(found, ["192.0.2.1", "fe80::1"]);
    }
}
