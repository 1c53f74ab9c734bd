//! What a node is told about itself and the machine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A node's settings; the engine makes them once.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Name of the Node object.
    pub name: String,
    /// Where pods' folders (`pods/UID`) and logs (`logs/NAMESPACE_NAME_UID`) are kept.
    pub home: PathBuf,
    /// The machine's address as pods see it.
    pub address: IpAddr,
    /// The machine's host name: what `hostNetwork` pods have.
    pub hostname: String,
    /// Address of the cluster's name service.
    pub cluster_dns: Ipv4Addr,
    /// Domain of the cluster.
    pub cluster_domain: String,
    /// The machine's own resolver settings, `/etc/resolv.conf`.
    pub host_resolv: PathBuf,
    /// The machine's own names, `/etc/hosts`.
    pub host_hosts: PathBuf,
    /// `status.nodeInfo.kubeletVersion`, such as `v1.36.3`.
    pub version: String,
    /// What the machine has.
    pub capacity: Capacity,
    /// A log file is rotated past this size.
    pub log_max_bytes: u64,
    /// Log files kept for an attempt, the current one too.
    pub log_max_files: u32,
    /// Processes and threads of a pod at most; `None` is no limit.
    pub pod_pids: Option<u64>,
    /// Labels of the Node object besides the well-known ones.
    pub labels: Vec<(String, String)>,
}

/// Resources of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of a core.
    pub cpu_milli: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of disk below `home`.
    pub disk_bytes: u64,
    /// Pods at most.
    pub pods: u32,
    /// Bytes of memory kept from pods, for the machine and the engine itself.
    pub reserved_memory_bytes: u64,
}

impl Capacity {
    /// Bytes of memory that pods may have.
    pub const fn allocatable_memory(&self) -> u64 {
        self.memory_bytes.saturating_sub(self.reserved_memory_bytes)
    }
}

impl NodeConfig {
    /// Settings with the defaults of the product; the engine changes what differs.
    pub fn new(name: impl Into<String>, home: impl Into<PathBuf>, address: IpAddr, capacity: Capacity) -> Self {
        let name = name.into();
        Self {
            hostname: name.clone(),
            name,
            home: home.into(),
            address,
            cluster_dns: Ipv4Addr::new(10, 43, 0, 10),
            cluster_domain: "cluster.local".into(),
            host_resolv: PathBuf::from("/etc/resolv.conf"),
            host_hosts: PathBuf::from("/etc/hosts"),
            version: "v1.36.3".into(),
            capacity,
            log_max_bytes: 10 << 20,
            log_max_files: 5,
            pod_pids: Some(8_192),
            labels: Vec::new(),
        }
    }

    /// Where all folders of pods are.
    pub fn pods(&self) -> PathBuf {
        self.home.join("pods")
    }

    /// A pod's folders.
    pub fn folders(&self, uid: &str) -> PodFolders {
        PodFolders { base: self.pods().join(uid) }
    }

    /// Where a pod's logs are.
    pub fn logs(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.home.join("logs").join(format!("{namespace}_{name}_{uid}"))
    }

    /// The current log file of an attempt of a container.
    pub fn log_file(&self, pod: (&str, &str, &str), container: &str, attempt: u32) -> PathBuf {
        self.logs(pod.0, pod.1, pod.2).join(container).join(format!("{attempt}.log"))
    }
}

/// Places in a pod's folder.
#[derive(Clone, Debug)]
pub struct PodFolders {
    base: PathBuf,
}

impl PodFolders {
    /// The folder itself.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The node's own record of the pod.
    pub fn state(&self) -> PathBuf {
        self.base.join("state.json")
    }

    /// The runtime's part.
    pub fn runtime(&self) -> PathBuf {
        self.base.join("run")
    }

    /// A volume.
    pub fn volume(&self, name: &str) -> PathBuf {
        self.base.join("volumes").join(name)
    }

    /// `hosts`, `resolv.conf`, `hostname`.
    pub fn etc(&self, file: &str) -> PathBuf {
        self.base.join("etc").join(file)
    }

    /// What an attempt of a container writes.
    pub fn writable(&self, container: &str, attempt: u32) -> PathBuf {
        self.base.join("containers").join(container).join(attempt.to_string())
    }

    /// An attempt's termination message.
    pub fn message(&self, container: &str, attempt: u32) -> PathBuf {
        self.base.join("containers").join(container).join(format!("{attempt}.message"))
    }
}
