//! What a pod and its containers are asked to be, what they are seen to be, and the trait between them and the node.

use async_trait::async_trait;
use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncWrite};

/// A pod's id: the object's `metadata.uid`, or a name of the builder's for a `RUN` step. Letters, digits, `-`, `_`, `.`.
pub type PodId = String;

/// A pod: what its containers share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PodSpec {
    /// Unique on this machine.
    pub id: PodId,
    /// `namespace/name` for logs and errors.
    pub name: String,
    /// Host name inside.
    pub hostname: String,
    /// The pod's own folder: socket, state, container folders. Made when missing.
    pub folder: PathBuf,
    /// The pod's network namespace; `None` for the host's.
    pub netns: Option<PathBuf>,
    /// Limits of the whole pod.
    pub resources: Resources,
    /// Path below the runtime's cgroup root, such as `pods/UID`.
    pub cgroup: String,
    /// Kernel settings of the pod's namespaces, such as `net.ipv4.ip_unprivileged_port_start`.
    pub sysctls: BTreeMap<String, String>,
    /// Whether containers see each other's processes.
    pub share_processes: bool,
    /// Size of the shared `/dev/shm`.
    pub shm_bytes: u64,
}

/// Limits; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory and swap together, bytes.
    pub memory_bytes: Option<u64>,
    /// CPU limit in thousandths of a core.
    pub cpu_milli: Option<u64>,
    /// CPU request in thousandths of a core: its share when the machine is busy.
    pub cpu_request_milli: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// `oom_score_adj`; raised only as far as the host allows.
    pub oom_score: i32,
}

/// A root file system: image layers, and what is written on top.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Root {
    /// Layer trees, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Folder for the written layer; `upper` and `work` are made in it.
    pub writable: PathBuf,
    /// Whether the container may not write to it.
    pub read_only: bool,
}

/// Something mounted into a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Absolute path inside; made (as folder, or file for a file) inside the root when missing.
    pub target: String,
    /// Whether it may not be written.
    pub read_only: bool,
    /// How mounts made later spread.
    pub propagation: Propagation,
}

/// What a mount shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or folder of the host.
    Bind(PathBuf),
    /// A path below a folder that a container may write to: resolved by `openat2` without ever leaving it.
    BindBelow {
        /// The volume's folder.
        base: PathBuf,
        /// The path below it.
        path: String,
    },
    /// A path in layer trees that lie over each other, as the container's own root does.
    Layers {
        /// Layer trees, the topmost first.
        layers: Vec<PathBuf>,
        /// A folder for the overlay and for what is written to it; `upper` and `work` are made in it. Not below [`Root::writable`],
        /// which the root is mounted over.
        place: PathBuf,
        /// The path, resolved with these trees as its root; it must be there.
        path: String,
    },
    /// Memory.
    Tmpfs {
        /// Size limit in bytes.
        size_bytes: Option<u64>,
        /// Mode of its root.
        mode: u32,
    },
}

/// Mount propagation as `volumeMounts[].mountPropagation` names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// None.
    #[default]
    None,
    /// The container sees mounts that the host makes later.
    HostToContainer,
    /// And the other way round.
    Bidirectional,
}

/// Who the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// As an image says it: empty, `uid`, `name`, `uid:gid`, `name:group`; looked up in the root's own `/etc/passwd` and `/etc/group`.
    pub image: String,
    /// Overrides the user id.
    pub uid: Option<u32>,
    /// Overrides the group id.
    pub gid: Option<u32>,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// What a container has when it asks for nothing: docker's set.
pub const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What the process may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// Everything: all capabilities, no filter, all devices, nothing masked.
    pub privileged: bool,
    /// Capabilities without the `CAP_` prefix that it has.
    pub capabilities: Vec<String>,
    /// Whether `no_new_privs` stays off.
    pub allow_escalation: bool,
    /// Whether the default system call filter applies.
    pub seccomp: bool,
    /// Whether it must not run as user 0: checked after the image's user was looked up.
    pub must_not_be_root: bool,
    /// Whether `/proc` is shown whole (`procMount: Unmasked`).
    pub unmasked_proc: bool,
}

/// One container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Name within the pod.
    pub name: String,
    /// Counts from 0; a restart is a new attempt.
    pub attempt: u32,
    /// Its root.
    pub root: Root,
    /// Program and arguments.
    pub args: Vec<String>,
    /// `KEY=VALUE`.
    pub env: Vec<String>,
    /// Working directory inside; made when missing.
    pub working_dir: String,
    /// Who.
    pub user: User,
    /// May do what.
    pub privileges: Privileges,
    /// Limits.
    pub resources: Resources,
    /// In order.
    pub mounts: Vec<Mount>,
    /// Where log lines go, in CRI format. With `None` output is for who attaches first, whole, also after the end (`RUN` steps);
    /// until then the program may write as much as a pipe holds.
    pub log: Option<LogFile>,
    /// Keeps standard input open.
    pub stdin: bool,
    /// Has a terminal.
    pub terminal: bool,
}

/// A CRI log file: `TIME stdout|stderr F|P LINE`, rotated to `PATH.1` and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// The current file.
    pub path: PathBuf,
    /// Rotates past this size.
    pub max_bytes: u64,
    /// Files kept, the current one too.
    pub max_files: u32,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Its process runs.
    Running {
        /// On the host.
        pid: u32,
        /// Since.
        started: Timestamp,
    },
    /// Its process ended.
    Exited(Exit),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, or 128 + the signal.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed it (or a process of its cgroup) for lack of memory.
    pub oom_killed: bool,
    /// Started.
    pub started: Timestamp,
    /// Ended.
    pub finished: Timestamp,
}

/// What is seen of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodState {
    /// Whether its shim lives; without it nothing of the pod runs.
    pub shim_pid: Option<u32>,
    /// The newest attempt of every container, by name.
    pub containers: BTreeMap<String, (u32, ContainerState)>,
}

/// Something that happened without being asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuntimeEvent {
    /// A container's process ended.
    Exited {
        /// Pod.
        pod: PodId,
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// How.
        exit: Exit,
    },
    /// A pod's shim ended; all its containers are gone with it.
    ShimGone {
        /// Pod.
        pod: PodId,
    },
}

/// A process started in a running container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub args: Vec<String>,
    /// Added to the container's own environment.
    pub env: Vec<String>,
    /// Has a terminal; standard error then goes to standard output.
    pub terminal: bool,
    /// Whether standard input is wanted.
    pub stdin: bool,
}

/// The ends of a process's streams, and its exit code when it ends.
pub struct Streams {
    /// Standard input; `None` when it was not asked for.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Standard error; `None` with a terminal.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Terminal sizes (columns, rows) to set; dropped means no more changes.
    pub resize: Option<tokio::sync::mpsc::UnboundedSender<(u16, u16)>>,
    /// Resolves when the process has ended.
    pub exit: tokio::sync::oneshot::Receiver<Result<i32, RuntimeError>>,
}

/// Why the runtime could not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RuntimeError {
    /// The program is not in the image, or not executable; the container never ran. Kubernetes: `StartError`, exit code 128; docker: 127 and 126.
    #[error("cannot start `{program}`: {reason}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
        /// 127 not found, 126 not executable.
        code: i32,
    },
    /// The specification cannot be had: an unknown user, root where it must not be root, a path that leaves its root.
    #[error("{0}")]
    Config(String),
    /// There is no such pod or container, or it does not run.
    #[error("{0} is not running")]
    NotRunning(String),
    /// The host failed.
    #[error("{doing}: {reason}")]
    Host {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        reason: String,
    },
}

/// Runs pods. All that it does outlives this process; a new one adopts what runs by [`Runtime::pods`].
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Makes a pod: its shim, namespaces and cgroup. A pod that is there already is left as it is.
    async fn create_pod(&self, spec: &PodSpec) -> Result<(), RuntimeError>;
    /// Starts a container of a pod; returns its process id on the host once the program runs.
    async fn start(&self, pod: &str, spec: &ContainerSpec) -> Result<u32, RuntimeError>;
    /// Sends a signal to a container's first process; `everyone` sends it to every process of the container.
    async fn signal(&self, pod: &str, container: &str, signal: i32, everyone: bool) -> Result<(), RuntimeError>;
    /// Runs a further process in a running container.
    async fn exec(&self, pod: &str, container: &str, spec: &ExecSpec) -> Result<Streams, RuntimeError>;
    /// Joins the streams of a container's first process from now on.
    async fn attach(&self, pod: &str, container: &str) -> Result<Streams, RuntimeError>;
    /// As [`Runtime::attach`], and takes standard input over for good: when it is dropped, the program reads the end (`stdinOnce`).
    async fn attach_once(&self, pod: &str, container: &str) -> Result<Streams, RuntimeError> {
        self.attach(pod, container).await
    }
    /// What is seen of a pod; `None` when there is none.
    async fn state(&self, pod: &str) -> Result<Option<PodState>, RuntimeError>;
    /// Changes limits of a running container.
    async fn update(&self, pod: &str, container: &str, resources: &Resources) -> Result<(), RuntimeError>;
    /// Changes limits of a pod as a whole.
    async fn update_pod(&self, pod: &str, resources: &Resources) -> Result<(), RuntimeError>;
    /// Ends a pod at once, and removes its cgroup and state (not its folder). Gone already is success.
    async fn remove_pod(&self, pod: &str) -> Result<(), RuntimeError>;
    /// The pods that are there, with or without a living shim: what a new process adopts.
    async fn pods(&self) -> Result<Vec<PodId>, RuntimeError>;
    /// Exits from now on. Whoever reads too slowly misses the oldest, and asks [`Runtime::state`] again.
    fn events(&self) -> tokio::sync::broadcast::Receiver<RuntimeEvent>;
    /// CPU and memory used by a container, by its cgroup's own count: nanoseconds of CPU, bytes of working set.
    async fn usage(&self, pod: &str, container: &str) -> Result<Usage, RuntimeError>;
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Nanoseconds of CPU since it started.
    pub cpu_nanos: u64,
    /// Bytes of memory, without what can be dropped at once.
    pub memory_bytes: u64,
}
