//! Containers that no engine runs: `RUN` steps and `wharf run`, with a network of their own and a way out.

mod agent;
mod step;

pub use step::lines;

use crate::context::Context;
use crate::interrupt;
use base::{Problem, ProblemKind, files};
use builder::Network;
use network::{HostNetwork, PodNetwork};
use runtime::{
    ContainerSpec, ContainerState, DEFAULT_CAPABILITIES, Mount, MountSource, PodSpec, Privileges, Propagation, Resources, Runtime,
    RuntimeEvent, ShimRuntime, Streams,
};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::broadcast::error::RecvError;

/// The sandbox of one process; what it needs is made when it is first needed, and gone when it is dropped.
pub struct Sandbox {
    folder: PathBuf,
    program: PathBuf,
    engine: PathBuf,
    tokio: tokio::runtime::Runtime,
    open: Mutex<Option<Open>>,
    /// Whether it was closed for good; whoever begins something has it for reading.
    closed: RwLock<bool>,
}

#[derive(Clone)]
struct Open {
    runtime: ShimRuntime,
    network: HostNetwork,
    _alone: Arc<File>,
}

/// A container that was started.
pub struct Started {
    /// Its pod.
    pub pod: String,
    /// Its streams.
    pub streams: Streams,
}

fn host(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string()).hint("`wharf doctor` says what this host lacks")
}

impl Sandbox {
    /// Below the home; nothing is made yet.
    ///
    /// # Errors
    /// When this program cannot be found again, or there are no threads.
    pub fn new(context: &Context) -> Result<Arc<Self>, Problem> {
        Ok(Arc::new(Self {
            folder: context.home.join("sandbox"),
            program: std::env::current_exe().map_err(|error| host(&error))?,
            engine: crate::engine_client::folder(context),
            tokio: context.tokio()?,
            open: Mutex::new(None),
            closed: RwLock::new(false),
        }))
    }

    /// Ends what runs, and removes what was made on the host.
    pub fn close(&self) {
        // What is just beginning is there before it is ended, and nothing begins after it.
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
        let Some(open) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.tokio.block_on(async {
            remove_all(&open).await;
            let _ = open.network.teardown().await;
        });
        // The engine forwards, too: what was put back for us is not put back for it.
        if engine::lock::Whereabouts::of_running(&self.engine).is_some() {
            let _ = std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
        }
    }

    /// Where the files of one container may be kept.
    pub fn files(&self, name: &str) -> PathBuf {
        self.folder.join("files").join(name)
    }

    /// The runtime that everything here waits on.
    pub fn tokio(&self) -> &tokio::runtime::Runtime {
        &self.tokio
    }

    fn opened(&self) -> Result<Open, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        crate::commands::doctor::require_root()?;
        files::make_folder(&self.folder, 0o700).map_err(|error| host(&error))?;
        let path = self.folder.join("lock");
        let alone = File::create(&path).map_err(|error| host(&format!("cannot open `{}`: {error}", path.display())))?;
        // Another build's containers are on the same links: one at a time.
        while let Err(error) = flock(&alone, FlockOperation::NonBlockingLockExclusive) {
            if interrupt::interrupted() {
                return Err(interrupt::problem());
            }
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(host(&error));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let network = network::Config {
            table: "wharf-sandbox".to_owned(),
            link_prefix: "whs".to_owned(),
            node_link: "wharfs0".to_owned(),
            pods: (Ipv4Addr::new(10, 41, 0, 0), 16),
            services: (Ipv4Addr::new(10, 40, 0, 0), 16),
            node: Ipv4Addr::new(10, 41, 0, 1),
            dns: Ipv4Addr::new(10, 40, 0, 10),
            ..network::Config::new(self.folder.join("network"))
        };
        let network = HostNetwork::open(network).map_err(|error| host(&error))?;
        let config = runtime::Config {
            home: self.folder.join("shims"),
            cgroup_root: "wharf-sandbox".to_owned(),
            shim_program: self.program.clone(),
        };
        let runtime = self.tokio.block_on(ShimRuntime::open(config)).map_err(|error| host(&error))?;
        let made = Open { runtime, network, _alone: Arc::new(alone) };
        self.tokio.block_on(remove_all(&made));
        self.sweep();
        *open = Some(made.clone());
        Ok(made)
    }

    /// Starts a container with a network of its own.
    ///
    /// # Errors
    /// When it cannot be started; nothing of it is then left.
    pub fn start(&self, name: &str, container: &ContainerSpec, resources: &Resources) -> Result<Started, Problem> {
        self.start_in(name, container, resources, Network::Outward)
    }

    fn start_in(&self, name: &str, container: &ContainerSpec, resources: &Resources, reach: Network) -> Result<Started, Problem> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(interrupt::problem());
        }
        let open = self.opened()?;
        self.tokio.block_on(async {
            let netns = self.namespace(&open, name, reach).await?;
            let started = start(&open, &self.folder, name, netns, container, resources).await;
            if started.is_err() {
                self.remove(&open, name).await;
            }
            started
        })
    }

    /// The network namespace of a container.
    async fn namespace(&self, open: &Open, name: &str, reach: Network) -> Result<Option<PathBuf>, Problem> {
        match reach {
            Network::Outward => Ok(Some(open.network.attach(name).await.map_err(|error| host(&error))?.netns)),
            Network::Host => Ok(None),
            Network::None => {
                let path = self.alone(name);
                files::make_folder(&self.folder.join("alone"), 0o700).map_err(|error| host(&error))?;
                network::alone(&path).map_err(|error| host(&error))?;
                Ok(Some(path))
            }
        }
    }

    /// Where the namespace of a container without a network is kept.
    fn alone(&self, name: &str) -> PathBuf {
        self.folder.join("alone").join(name)
    }

    async fn remove(&self, open: &Open, name: &str) {
        remove(open, name).await;
        let path = self.alone(name);
        if path.exists() {
            let _ = sys::netns::remove(&path);
        }
    }

    /// Waits until a container has ended, and removes it.
    ///
    /// # Errors
    /// When its end was lost.
    pub fn finish(&self, pod: &str) -> Result<runtime::Exit, Problem> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(interrupt::problem)?;
        self.tokio.block_on(async {
            let exit = ended(&open, pod).await;
            self.remove(&open, pod).await;
            exit
        })
    }
}

impl Sandbox {
    /// The same at a set time at the latest: what has not ended by then is ended, and gives nothing.
    ///
    /// # Errors
    /// When its end was lost.
    pub fn finish_by(&self, pod: &str, until: Instant) -> Result<Option<runtime::Exit>, Problem> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(interrupt::problem)?;
        self.tokio.block_on(async {
            let exit = tokio::time::timeout_at(until.into(), ended(&open, pod)).await;
            self.remove(&open, pod).await;
            exit.ok().transpose()
        })
    }

    /// Namespaces and secrets that an earlier process that was killed has left.
    fn sweep(&self) {
        for entry in std::fs::read_dir(self.folder.join("alone")).into_iter().flatten().flatten() {
            let _ = sys::netns::remove(&entry.path());
        }
        let _ = std::fs::remove_dir_all(self.memory());
    }

    /// A folder in memory for what is to touch no disk; of this home alone.
    fn memory(&self) -> PathBuf {
        let shared = Path::new("/dev/shm");
        let name = oci::Digest::of(self.folder.as_os_str().as_encoded_bytes()).hex();
        if shared.is_dir() { shared.join(format!("wharf-{}", name.get(..16).unwrap_or_default())) } else { self.folder.join("memory") }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.close();
    }
}

async fn start(
    open: &Open,
    folder: &Path,
    name: &str,
    netns: Option<PathBuf>,
    container: &ContainerSpec,
    resources: &Resources,
) -> Result<Started, Problem> {
    let pod = PodSpec {
        id: name.to_owned(),
        name: name.to_owned(),
        hostname: name.to_owned(),
        folder: folder.join("pods").join(name),
        netns,
        resources: resources.clone(),
        cgroup: name.to_owned(),
        sysctls: BTreeMap::new(),
        share_processes: false,
        shm_bytes: 64 << 20,
    };
    open.runtime.create_pod(&pod).await.map_err(|error| host(&error))?;
    open.runtime.start(name, container).await.map_err(|error| match &error {
        runtime::RuntimeError::Start { code: 126 | 127, .. } | runtime::RuntimeError::Config(_) => {
            Problem::new(ProblemKind::Work, error.to_string())
        }
        _ => host(&error),
    })?;
    let streams = open.runtime.attach(name, &container.name).await.map_err(|error| host(&error))?;
    Ok(Started { pod: name.to_owned(), streams })
}

async fn ended(open: &Open, pod: &str) -> Result<runtime::Exit, Problem> {
    let mut events = open.runtime.events();
    loop {
        let state = open.runtime.state(pod).await.map_err(|error| host(&error))?;
        let lost = || Problem::new(ProblemKind::Host, format!("the container {pod} was lost"));
        let state = state.ok_or_else(lost)?;
        if let Some((_, ContainerState::Exited(exit))) = state.containers.values().next() {
            return Ok(exit.clone());
        }
        loop {
            match events.recv().await {
                Ok(RuntimeEvent::Exited { pod: of, exit, .. }) if of == pod => return Ok(exit),
                Ok(RuntimeEvent::ShimGone { pod: of }) if of == pod => return Err(lost()),
                Err(RecvError::Closed) => return Err(lost()),
                Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
            }
        }
    }
}

async fn remove(open: &Open, pod: &str) {
    let _ = open.runtime.remove_pod(pod).await;
    let _ = open.network.detach(pod).await;
}

/// What an earlier process that was killed has left.
async fn remove_all(open: &Open) {
    for pod in open.runtime.pods().await.unwrap_or_default() {
        remove(open, &pod).await;
    }
    for pod in open.network.attached().await.unwrap_or_default().into_keys() {
        let _ = open.network.detach(&pod).await;
    }
}

/// The files that every container has from outside: names and name servers.
///
/// # Errors
/// When they cannot be written.
pub fn name_files(folder: &Path, hostname: &str) -> Result<Vec<Mount>, Problem> {
    files::make_folder(folder, 0o755).map_err(|error| host(&error))?;
    let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{hostname}\n");
    let mut mounts = Vec::new();
    for (name, content) in [("resolv.conf", resolvers()), ("hosts", hosts)] {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(|error| host(&files::FileError::new("write", &path, error)))?;
        mounts.push(Mount {
            source: MountSource::Bind(path),
            target: format!("/etc/{name}"),
            read_only: true,
            propagation: Propagation::None,
        });
    }
    Ok(mounts)
}

/// The machine's name servers that can be reached from another network namespace.
fn resolvers() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let reachable = |text: &str| -> String {
        let is_loopback =
            |line: &str| line.split_whitespace().nth(1).is_some_and(|address| address.starts_with("127.") || address == "::1");
        text.lines()
            .filter(|line| !(line.trim_start().starts_with("nameserver") && is_loopback(line)))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    let own = reachable(&read("/etc/resolv.conf"));
    // Where a stub listens on the loopback, systemd-resolved keeps the real list beside.
    if own.contains("nameserver") { own } else { reachable(&read("/run/systemd/resolve/resolv.conf")) }
}

/// What a container may do that is told nothing else.
pub fn default_privileges() -> Privileges {
    Privileges {
        privileged: false,
        capabilities: DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
        allow_escalation: true,
        seccomp: true,
        must_not_be_root: false,
        unmasked_proc: false,
    }
}
