//! The cluster's name service: a process of its own, which outlives the engine.
//!
//! It answers for the cluster's domain from a file that [`crate::HostNetwork`] replaces, and asks the machine's own
//! name servers for everything else. The file is looked at when a question comes (one `stat`), so that an idle process
//! sleeps and a question that is asked after a change sees it.

mod forward;
mod handler;
mod process;
mod zone;

use crate::config::{Block, Config};
use crate::topology::NetworkError;
use hickory_server::Server;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};

pub use process::{running, stop};

/// What the name service works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Where it listens, by UDP and TCP.
    pub listen: SocketAddr,
    /// The file of the cluster's names.
    pub names: PathBuf,
    /// Holds its process id, and a lock for as long as it runs.
    pub pid_file: PathBuf,
    /// The machine's list of name servers.
    pub resolv_conf: PathBuf,
    /// Blocks whose reverse names are the cluster's.
    pub blocks: Vec<Block>,
}

impl DnsConfig {
    /// The name service of a network.
    pub fn of(config: &Config) -> Self {
        Self {
            listen: (config.dns, 53).into(),
            names: crate::host::names_file(config),
            pid_file: config.home.join("dns.pid"),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            blocks: vec![config.pods, config.services],
        }
    }

    fn address(&self) -> Ipv4Addr {
        match self.listen {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// Serves until SIGTERM or SIGINT. The whole work of a process: it makes its own single-threaded runtime.
///
/// # Errors
/// When another one runs on the same home, or the address cannot be listened on.
pub fn main(config: &DnsConfig) -> Result<(), NetworkError> {
    let doing =
        |error: &dyn std::fmt::Display| NetworkError { doing: format!("serve names on {}", config.listen), reason: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| doing(&error))?;
    runtime.block_on(async {
        let server = bind(config).await.map_err(|error| doing(&error))?;
        let _lock = process::claim(config)?;
        serve(server).await.map_err(|error| doing(&error))
    })
}

async fn bind(config: &DnsConfig) -> std::io::Result<Server<handler::Handler>> {
    const IDLE: Duration = Duration::from_secs(10);
    const ANSWERS: usize = 16;
    let (udp, tcp) = (UdpSocket::bind(config.listen).await?, TcpListener::bind(config.listen).await?);
    let mut server = Server::new(handler::Handler::new(config));
    server.register_socket(udp);
    server.register_listener(tcp, IDLE, ANSWERS);
    Ok(server)
}

async fn serve(mut server: Server<handler::Handler>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        ended = server.block_until_done() => ended.map_err(std::io::Error::other),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}
