//! Where `RUN` steps run: told by trait, so that this crate knows of no container runtime.

use crate::secret::Hidden;
use std::path::PathBuf;

/// One command in a container of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStep {
    /// A name for messages, host name and cgroup: letters, digits, `-`.
    pub name: String,
    /// Layer trees, the topmost first; at least one, which may be empty.
    pub layers: Vec<PathBuf>,
    /// Where overlay puts what is written: a folder named `upper` that exists and is empty, beside `work`.
    pub upper: PathBuf,
    /// Overlay's own folder, named `work`; exists and is empty.
    pub work: PathBuf,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// The environment, in order; nothing is to be added but `HOME` (from the user's entry) and `HOSTNAME` where they are missing.
    pub env: Vec<(String, String)>,
    /// Where the program starts: an absolute path inside, which exists or is made.
    pub workdir: String,
    /// Who runs it, as images say it: empty, `uid`, `name`, `uid:gid`, `name:group`.
    pub user: String,
    /// What it can reach.
    pub network: Network,
    /// What is mounted beside the usual (`/proc`, `/dev`, `/sys`, `/etc/resolv.conf`, `/etc/hosts`).
    pub mounts: Vec<RunMount>,
}

/// What a command can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// A namespace of its own with a way out, never the host's loopback.
    #[default]
    Outward,
    /// Only its own loopback.
    None,
    /// All that the host reaches: given only where the caller allows it ([`crate::Request::host_network`]).
    Host,
}

/// Something mounted inside. A target that is missing is made, and taken away again by the builder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMount {
    /// What.
    pub source: RunSource,
    /// Absolute path inside, without `.` and `..`.
    pub target: String,
    /// Whether it may not be written.
    pub read_only: bool,
}

/// What a mount of a step shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunSource {
    /// A file or folder of the host, which nobody changes meanwhile.
    Path(PathBuf),
    /// A folder below one that other commands may be writing to: it is resolved without ever leaving `base`, and made when missing.
    Below {
        /// On the host.
        base: PathBuf,
        /// Below it; empty for `base` itself.
        path: String,
    },
    /// A path in layer trees seen as one root.
    Layers {
        /// The topmost first.
        layers: Vec<PathBuf>,
        /// An empty folder for the overlay and what is written to it, which is thrown away.
        place: PathBuf,
        /// Resolved with the trees as its root.
        path: String,
    },
    /// An empty folder in memory, for everybody to write to.
    Tmpfs {
        /// Its limit.
        size_bytes: Option<u64>,
    },
    /// A file that is to touch no disk.
    Secret {
        /// What is in it.
        content: Hidden,
        /// Permissions.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// The socket of an ssh agent, there as long as the command runs: a stand-in, which lists keys and signs, and does nothing else.
    Agent {
        /// The agent's own socket on the host.
        socket: PathBuf,
        /// Permissions.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Because it used more memory than it may.
    OutOfMemory,
}

/// A command that could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct IsolateError {
    /// What went wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Runs commands in containers.
pub trait Isolate: Send + Sync {
    /// Runs one to its end, giving what it writes (both streams) line by line to `output`. When it returns, nothing of it runs any
    /// more and nothing is mounted.
    ///
    /// # Errors
    /// When it could not be started.
    fn run(&self, step: &RunStep, output: &dyn Fn(&str)) -> Result<Exit, IsolateError>;

    /// Runs one for a person at this terminal, to its end, however that is.
    ///
    /// # Errors
    /// When it could not be started; where nothing else is said, because no person is there.
    fn shell(&self, _: &RunStep) -> Result<(), IsolateError> {
        Err(IsolateError { message: "there is no terminal here".to_owned(), hint: String::new() })
    }
}
