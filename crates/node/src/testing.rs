//! Fakes of what a node stands on: each remembers what was asked, in one journal, and does what a test tells it to.

mod cluster;
mod images;
mod network;
mod runtime;

pub use cluster::FakeCluster;
pub use images::FakeImages;
pub use network::FakeNetwork;
pub use runtime::FakeRuntime;

use crate::config::{Capacity, NodeConfig};
use crate::manager::Parts;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What was asked of the fakes, in order.
pub type Journal = Arc<Mutex<Vec<String>>>;

/// A node's surroundings, and a home of its own that goes with it.
pub struct World {
    pub cluster: Arc<FakeCluster>,
    pub runtime: Arc<FakeRuntime>,
    pub network: Arc<FakeNetwork>,
    pub images: Arc<FakeImages>,
    pub journal: Journal,
    pub config: NodeConfig,
}

impl World {
    pub fn new() -> Self {
        let journal = Journal::default();
        Self {
            cluster: Arc::default(),
            runtime: Arc::new(FakeRuntime::new(journal.clone())),
            network: Arc::new(FakeNetwork::new(journal.clone())),
            images: Arc::default(),
            config: config(),
            journal,
        }
    }

    pub fn parts(&self) -> Parts {
        Parts {
            runtime: self.runtime.clone(),
            network: self.network.clone(),
            images: self.images.clone(),
            cluster: self.cluster.clone(),
            clock: Arc::new(base::SystemClock),
        }
    }

    pub fn said(&self) -> Vec<String> {
        self.journal.lock().expect("whole").clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The watcher holds the node; without it the node ends, a little later, and may still write meanwhile.
        self.cluster.watch(|_| {});
        for _ in 0..20 {
            let _ = crate::volumes::unmount_below(&self.config.home);
            let _ = std::fs::remove_dir_all(&self.config.home);
            std::thread::sleep(Duration::from_millis(5));
            if !self.config.home.exists() {
                break;
            }
        }
    }
}

pub fn home() -> PathBuf {
    std::env::temp_dir().join(format!("wharf-node-{}-{}", std::process::id(), base::ids::suffix(8)))
}

pub fn config() -> NodeConfig {
    let capacity = Capacity { cpu_milli: 4_000, memory_bytes: 8 << 30, disk_bytes: 100 << 30, pods: 110, reserved_memory_bytes: 1 << 30 };
    let mut config = NodeConfig::new("wharf", home(), IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2)), capacity);
    config.host_resolv = PathBuf::from("/nonexistent");
    config
}

/// Waits until something holds; panics with `what` after five seconds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(5), "not within five seconds: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
