//! Names and numbers of one machine's pod network.

use std::net::Ipv4Addr;
use std::path::PathBuf;

/// A network address and its prefix length.
pub type Block = (Ipv4Addr, u8);

/// How the network of one home is called and numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of its journal, namespaces and state; made where missing.
    pub home: PathBuf,
    /// The nf_tables table, of family `ip`.
    pub table: String,
    /// Pod links are called so, followed by ten hexadecimal digits; at most five characters.
    pub link_prefix: String,
    /// The link that carries the node's and the name service's addresses.
    pub node_link: String,
    /// Where pods get their addresses from.
    pub pods: Block,
    /// Where services have theirs from.
    pub services: Block,
    /// The machine's own address among the pods: what they see of it.
    pub node: Ipv4Addr,
    /// Where the name service listens.
    pub dns: Ipv4Addr,
}

impl Config {
    /// The names and numbers that are fixed for Wharf, over a home of one's own.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            table: "wharf".to_owned(),
            link_prefix: "whp".to_owned(),
            node_link: "wharf0".to_owned(),
            pods: (Ipv4Addr::new(10, 42, 0, 0), 16),
            services: (Ipv4Addr::new(10, 43, 0, 0), 16),
            node: Ipv4Addr::new(10, 42, 0, 1),
            dns: Ipv4Addr::new(10, 43, 0, 10),
        }
    }
}
