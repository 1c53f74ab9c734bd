//! The parts, each opened with what this machine gives it.

use super::{Config, NODE};
use crate::proxy::LateNode;
use apiserver::{Server, StartError};
use base::{Clock, Problem, ProblemKind};
use blobs::Store;
use network::HostNetwork;
use node::{Capacity, NodeConfig};
use runtime::ShimRuntime;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

fn host(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string())
}

/// What can be done depends on whether it is the disk or the kernel that says no.
fn lacking(error: &dyn std::fmt::Display) -> Problem {
    let problem = host(error);
    let is_disk = ["No space left", "Read-only file system", "quota"].iter().any(|sign| problem.message.contains(sign));
    problem.hint(if is_disk {
        "make room or rights there, or pass another home with `--home DIR`"
    } else {
        "`wharf doctor` says what this host lacks"
    })
}

/// The engine is for root only, until there is a rootless tier.
///
/// # Errors
/// For anybody else.
pub fn require_root() -> Result<(), Problem> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Host, "the engine needs root for containers and their network; the rootless tier is not supported yet")
        .hint("run it with `sudo`, or as root"))
}

/// The names and numbers of the engine's network.
pub fn network_config(config: &Config) -> network::Config {
    network::Config::new(config.home.join("network"))
}

/// The pod network, with what an earlier engine left in it.
///
/// # Errors
/// When the kernel lacks what it needs.
pub fn network(config: &Config) -> Result<HostNetwork, Problem> {
    HostNetwork::open(network_config(config)).map_err(|error| lacking(&error))
}

/// The names and numbers of the engine's containers.
pub fn runtime_config(config: &Config) -> runtime::Config {
    runtime::Config { home: config.home.join("shims"), cgroup_root: "wharf".to_owned(), shim_program: config.program.clone() }
}

/// The runtime, with the pods that run.
///
/// # Errors
/// When cgroups are missing, or its folder cannot be used.
pub async fn runtime(config: &Config) -> Result<ShimRuntime, Problem> {
    ShimRuntime::open(runtime_config(config)).await.map_err(|error| lacking(&error))
}

/// The content store.
///
/// # Errors
/// When its folder cannot be used.
pub fn images(config: &Config) -> Result<Arc<Store>, Problem> {
    Store::open(&config.home.join("blobs")).map(Arc::new).map_err(|error| host(&error))
}

/// How many ports are tried from the wanted one upwards.
const PORTS: u16 = 100;

/// The API server, on the wanted port or the next free one.
///
/// # Errors
/// What it says.
pub async fn server(config: &Config, clock: Arc<dyn Clock>, node: Arc<LateNode>) -> Result<Server, Problem> {
    let mut port = config.port;
    loop {
        let wanted = apiserver::Config {
            home: config.folder(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            addresses: vec![IpAddr::V4(network_config(config).node)],
            clock: clock.clone(),
            node: node.clone(),
            limits: net::Limits::default(),
        };
        match Server::start(wanted).await {
            Ok(server) => return Ok(server),
            Err(StartError::Listen { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse && port != 0 && port - config.port < PORTS =>
            {
                port += 1
            }
            Err(error) => return Err(host(&error).hint("look at the path that it names, or pass another home with `--home DIR`")),
        }
    }
}

/// The node's settings for this machine.
pub fn node_config(config: &Config) -> NodeConfig {
    let name = rustix::system::uname();
    let mut made = NodeConfig::new(NODE, &config.home, IpAddr::V4(network_config(config).node), Capacity::of_machine(&config.home));
    made.hostname = name.nodename().to_string_lossy().into_owned();
    made.labels.push((k8s::labels::NETWORK_POLICY.to_owned(), "enforced".to_owned()));
    made
}
