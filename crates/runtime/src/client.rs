//! The engine's side: spawns shims, asks them, hears from them, finds them again after a restart.

mod calls;
mod link;
mod record;
mod stream;

use crate::cgroup::Cgroups;
use crate::protocol::{Answer, Request, SOCKET, StreamsSent, host};
use crate::spec::*;
use async_trait::async_trait;
use base::{Clock, SystemClock};
use link::Link;
use record::{Record, Records};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Events that a reader may be behind.
const EVENTS: usize = 1024;
/// How long a shim may take to end its pod before it is ended itself.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What a runtime needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder for the records of pods; made when missing.
    pub home: PathBuf,
    /// Name of the folder in the cgroup hierarchy below which everything of ours lies, such as `wharf`.
    pub cgroup_root: String,
    /// The program that is started with [`crate::shim::WORD`] as a shim: this very one.
    pub shim_program: PathBuf,
}

/// Runs pods by shims.
#[derive(Clone)]
pub struct ShimRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    cgroups: Cgroups,
    // Executable and readable only: what runs in a container can never write to the program by it.
    program: OwnedFd,
    records: Records,
    pods: Mutex<BTreeMap<PodId, Arc<Pod>>>,
    filters: Mutex<HashMap<u64, Arc<OwnedFd>>>,
    events: broadcast::Sender<RuntimeEvent>,
    // Connections live as long as this runtime, not as the one of whoever happens to make a pod.
    tokio: tokio::runtime::Handle,
    weak: u32,
}

struct Pod {
    folder: PathBuf,
    cgroup: String,
    // One call at a time may make or remove it.
    changing: Arc<tokio::sync::Mutex<()>>,
    link: Mutex<Option<Link>>,
}

impl Pod {
    fn new(folder: PathBuf, cgroup: String) -> Arc<Self> {
        Arc::new(Self { folder, cgroup, changing: Arc::default(), link: Mutex::default() })
    }

    fn link(&self) -> Option<Link> {
        lock(&self.link).clone().filter(Link::is_alive)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is changed in single steps, so a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// The one place where descriptors are given to tokio to be watched.
#[expect(
    deprecated,
    reason = "its replacement is unsafe, for types whose descriptor changes or closes early; here only owners of one descriptor come by"
)]
fn watched<T: AsFd + std::os::fd::AsRawFd>(owner: T, interest: tokio::io::Interest) -> io::Result<tokio::io::unix::AsyncFd<T>> {
    tokio::io::unix::AsyncFd::with_interest(owner, interest)
}

impl ShimRuntime {
    /// Opens the runtime and adopts every pod that is there: shims that live are joined again.
    ///
    /// # Errors
    /// [`RuntimeError::Host`]: no cgroups, no right to mount, a home that cannot be written.
    pub async fn open(config: Config) -> Result<Self, RuntimeError> {
        Self::open_weakened(config, 0).await
    }

    /// As [`ShimRuntime::open`], with protections switched off ([`crate::weak::Weakness`]) in builds made for that.
    ///
    /// # Errors
    /// As [`ShimRuntime::open`].
    #[doc(hidden)]
    pub async fn open_weakened(config: Config, weak: u32) -> Result<Self, RuntimeError> {
        let weak = if cfg!(feature = "weakened") { weak } else { 0 };
        let cgroups = Cgroups::detect(&config.cgroup_root).map_err(host("find the cgroups"))?;
        let program = program(&config.shim_program, weak).map_err(host(format!("open {} for shims", config.shim_program.display())))?;
        let records = Records::open(&config.home)?;
        let inner = Inner {
            config,
            cgroups,
            program,
            records,
            pods: Mutex::default(),
            filters: Mutex::default(),
            events: broadcast::channel(EVENTS).0,
            tokio: tokio::runtime::Handle::current(),
            weak,
        };
        let runtime = Self { inner: Arc::new(inner) };
        for record in runtime.inner.records.all()? {
            runtime.adopt(record).await;
        }
        Ok(runtime)
    }

    async fn adopt(&self, record: Record) {
        let pod = Pod::new(record.folder.clone(), record.cgroup.clone());
        lock(&self.inner.pods).insert(record.id.clone(), pod.clone());
        let Ok(socket) = sys::socket::connect(&record.folder, SOCKET) else { return self.clean_up(&pod).await };
        if let Ok(link) = self.join(&record.id, &pod, socket, None) {
            // A shim that was spawned but never told what pod it is holds nothing.
            match link.ask(Request::State, Vec::new()).await {
                Ok((Answer::State(state), _)) => link.set_pid(state.shim_pid),
                _ => *lock(&pod.link) = None,
            }
        }
    }

    fn join(
        &self,
        id: &str,
        pod: &Arc<Pod>,
        socket: std::os::unix::net::UnixStream,
        child: Option<std::process::Child>,
    ) -> Result<Link, RuntimeError> {
        let (runtime, id, owner) = (Arc::downgrade(&self.inner), id.to_owned(), Arc::downgrade(pod));
        let gone = async move || {
            let (Some(inner), Some(pod)) = (runtime.upgrade(), owner.upgrade()) else { return };
            let runtime = Self { inner };
            let _changing = pod.changing.clone().lock_owned().await;
            // Meanwhile it may have been removed, or made again.
            if !runtime.pod(&id).is_some_and(|listed| Arc::ptr_eq(&listed, &pod)) || pod.link().is_some() {
                return;
            }
            // Whatever its containers asked the kernel not to do at the shim's end is done now.
            runtime.clean_up(&pod).await;
            let _ = runtime.inner.events.send(RuntimeEvent::ShimGone { pod: id });
        };
        let _of_ours = self.inner.tokio.enter();
        let link = Link::begin(
            socket,
            child,
            link::Listener { pod: pod_id(&pod.folder, &self.inner.pods), events: self.inner.events.clone() },
            gone,
        );
        let link = link.map_err(host("join the shim"))?;
        *lock(&pod.link) = Some(link.clone());
        Ok(link)
    }

    async fn clean_up(&self, pod: &Arc<Pod>) {
        let group = self.inner.cgroups.group(&pod.cgroup);
        let _ = tokio::task::spawn_blocking(move || {
            group.kill_all(Duration::from_secs(2));
            group.remove()
        })
        .await;
    }

    fn pod(&self, id: &str) -> Option<Arc<Pod>> {
        lock(&self.inner.pods).get(id).cloned()
    }

    fn link(&self, id: &str) -> Result<Link, RuntimeError> {
        self.pod(id).and_then(|pod| pod.link()).ok_or_else(|| RuntimeError::NotRunning(format!("the pod {id}")))
    }

    async fn ask(&self, id: &str, request: Request, fds: Vec<OwnedFd>) -> Result<(Answer, Vec<OwnedFd>), RuntimeError> {
        self.link(id)?.ask(request, fds).await
    }

    fn spawn(&self, spec: &PodSpec) -> io::Result<(std::os::unix::net::UnixStream, std::process::Child)> {
        std::fs::create_dir_all(&spec.folder)?;
        let listener = sys::socket::listen(&spec.folder, SOCKET)?;
        let socket = sys::socket::connect(&spec.folder, SOCKET)?;
        // No environment, no descriptors but the socket: nothing of the engine lives on in what outlives it.
        let child = Command::new(sys::path::fd_path(&self.inner.program))
            .arg0("wharf-shim")
            .args([crate::shim::WORD, &spec.name])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((socket, child))
    }

    fn filter(&self, privileges: &Privileges) -> Result<Option<OwnedFd>, RuntimeError> {
        if privileges.privileged || !privileges.seccomp {
            return Ok(None);
        }
        let bits = privileges.capabilities.iter().filter_map(|name| sys::creds::capability(name)).fold(0, |bits, bit| bits | bit);
        let key = crate::seccomp::relevant(bits);
        let known = lock(&self.inner.filters).get(&key).cloned();
        let filter = match known {
            Some(filter) => filter,
            None => {
                let made = Arc::new(crate::seccomp::compile_sealed(key).map_err(host("compile the system call filter"))?);
                lock(&self.inner.filters).insert(key, made.clone());
                made
            }
        };
        sys::fds::duplicate(&*filter).map(Some).map_err(host("copy the system call filter"))
    }

    fn streams(
        &self,
        link: &Link,
        container: Option<&str>,
        exec: Option<u64>,
        sent: StreamsSent,
        fds: Vec<OwnedFd>,
    ) -> Result<Streams, RuntimeError> {
        let exit = match (container, exec) {
            (Some(container), _) => link.wait_container(container, sent.attempt),
            (None, id) => link.wait_exec(id.unwrap_or(0)),
        };
        stream::assemble(sent, fds, exit).map_err(host("open the streams"))
    }
}

// The id is the key under which the pod is listed; the folder finds it.
fn pod_id(folder: &Path, pods: &Mutex<BTreeMap<PodId, Arc<Pod>>>) -> PodId {
    lock(pods).iter().find(|(_, pod)| pod.folder == folder).map(|(id, _)| id.clone()).unwrap_or_default()
}

fn program(path: &Path, weak: u32) -> io::Result<OwnedFd> {
    if weak & crate::weak::Weakness::WritableProgram as u32 != 0 {
        return Ok(std::fs::File::open(path)?.into());
    }
    sys::mount::read_only_handle(path)
}

fn unexpected(answer: Answer) -> RuntimeError {
    match answer {
        Answer::Failed(error) => error,
        other => RuntimeError::Host { doing: "ask the shim".to_owned(), reason: format!("it answered {other:?}") },
    }
}
