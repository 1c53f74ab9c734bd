//! Where `RUN` steps run: told by trait, so that this crate knows of no container runtime.

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
}

/// A file or folder of the host, mounted inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMount {
    /// On the host.
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: String,
    /// Whether it may not be written.
    pub read_only: bool,
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
}
