//! Pod links, services, policy, DNS.

mod config;
pub mod dns;
mod host;
mod netlink;
mod nft;
mod ports;
mod ranges;
mod rules;
mod ruleset;
pub mod topology;
mod translate;

pub use config::{Block, Config};
pub use host::{HostNetwork, alone, packet_rules};
pub use ports::{PortHolder, port_holder};
pub use rules::{Chain, Direction, Endpoint, Key, NetOp, Pass, plan};
pub use topology::*;
pub use translate::{DOMAIN, Objects, topology_of};
