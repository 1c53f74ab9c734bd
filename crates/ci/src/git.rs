//! The host's own git, which sees nothing of the user: no configuration, no hooks, no credentials but those given.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// How git behaves, whatever the host or a repository says; nothing of a repository is ever run.
const CONFIG: [(&str, &str); 16] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.autocrlf", "false"),
    ("core.symlinks", "true"),
    ("core.quotePath", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
    ("transfer.fsckObjects", "true"),
    ("receive.maxInputSize", "2147483648"),
    ("receive.autogc", "false"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("safe.directory", "*"),
];
/// git's own messages have an end.
const MESSAGE_BYTES: usize = 64 << 10;
/// For a command that only looks at what is here.
const LOOK: Duration = Duration::from_secs(60);

/// Why git did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("cannot start git: {0}")]
    Start(String),
    /// It said no.
    #[error("git {what} failed: {said}")]
    Failed {
        /// The command.
        what: String,
        /// Its own words.
        said: String,
    },
    /// It took too long.
    #[error("git {what} did not end within {} s", time.as_secs())]
    Slow {
        /// The command.
        what: String,
        /// What it had.
        time: Duration,
    },
    /// It said more than is read.
    #[error("git {what} said more than {limit} bytes")]
    Long {
        /// The command.
        what: String,
        /// What is read.
        limit: usize,
    },
}

/// How git is started.
#[derive(Clone, Debug, Default)]
pub struct Git {
    /// The whole environment that it sees: the way to programs, servers and proxies.
    pub environment: Vec<(OsString, OsString)>,
}

/// One command.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    git: &'a Git,
    folder: PathBuf,
    config: Vec<(String, String)>,
    protocols: &'static str,
    limit: usize,
    time: Duration,
}

/// What a command said that went well.
struct Talk {
    what: String,
    said: Vec<u8>,
    is_cut: bool,
    message: String,
}

impl Git {
    /// A command in a folder.
    pub(crate) fn at(&self, folder: &Path) -> Ask<'_> {
        Ask { git: self, folder: folder.to_owned(), config: Vec::new(), protocols: "", limit: 1 << 20, time: LOOK }
    }
}

impl Ask<'_> {
    /// Also this setting.
    pub(crate) fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    /// It may go out by these protocols, and take so long.
    pub(crate) fn out(mut self, protocols: &'static str, time: Duration) -> Self {
        self.protocols = protocols;
        self.time = time;
        self
    }

    /// It may say so much.
    pub(crate) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The command, not started.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.git.environment.iter().map(|(name, value)| (name, value))).current_dir(&self.folder).kill_on_drop(true);
        for (name, value) in [
            ("HOME", "/nonexistent"),
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ALLOW_PROTOCOL", if self.protocols.is_empty() { "none" } else { self.protocols }),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20"),
        ] {
            command.env(name, value);
        }
        let own = CONFIG.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config: Vec<(String, String)> = own.chain(self.config.iter().cloned()).collect();
        command.env("GIT_CONFIG_COUNT", config.len().to_string());
        for (number, (key, value)) in config.iter().enumerate() {
            // Not as arguments, which everybody on the machine can read.
            command.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command.env("GIT_CEILING_DIRECTORIES", self.folder.parent().map_or(OsStr::new("/"), Path::as_os_str));
        command
    }

    /// What it says on standard output.
    pub(crate) async fn run<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<Vec<u8>, GitError> {
        self.both(arguments).await.map(|(said, _)| said)
    }

    /// What it says on standard output, and beside that.
    pub(crate) async fn both<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<(Vec<u8>, String), GitError> {
        let limit = self.limit;
        match self.all(arguments).await? {
            Talk { is_cut: true, what, .. } => Err(GitError::Long { what, limit }),
            talk => Ok((talk.said, talk.message)),
        }
    }

    /// The beginning of what it says, as text: what goes beyond the limit is left out.
    pub(crate) async fn beginning<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<String, GitError> {
        let talk = self.all(arguments).await?;
        Ok(String::from_utf8_lossy(&talk.said).trim_end().to_owned())
    }

    async fn all<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<Talk, GitError> {
        let what = arguments.first().map(|first| first.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        let started = |error: std::io::Error| GitError::Start(error.to_string());
        let mut child = self.command(arguments).spawn().map_err(started)?;
        let done = async {
            let read = (read(child.stdout.take(), self.limit), read(child.stderr.take(), MESSAGE_BYTES));
            let (out, err) = tokio::join!(read.0, read.1);
            Ok((out, err, child.wait().await?))
        };
        let ((said, is_cut), (message, _), status) = match tokio::time::timeout(self.time, done).await {
            Ok(read) => read.map_err(started)?,
            Err(_) => return Err(GitError::Slow { what, time: self.time }),
        };
        let message = String::from_utf8_lossy(&message).into_owned();
        if status.success() { Ok(Talk { what, said, is_cut, message }) } else { Err(GitError::Failed { what, said: short(&message) }) }
    }

    /// The same as text, without what is at its end.
    pub(crate) async fn text<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<String, GitError> {
        let said = self.run(arguments).await?;
        Ok(String::from_utf8_lossy(&said).trim_end().to_owned())
    }
}

/// Reads a child to its end: standard output (`None` when it is too long), standard error, whether it went well.
pub(crate) async fn finish(child: &mut Child, limit: usize) -> std::io::Result<(Option<Vec<u8>>, String, bool)> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::join!(read(out, limit), read(err, MESSAGE_BYTES));
    let status = child.wait().await?;
    let message = err.0;
    Ok(((!out.1).then_some(out.0), String::from_utf8_lossy(&message).into_owned(), status.success()))
}

/// All of a stream: its beginning, and whether there was more.
async fn read(stream: Option<impl AsyncReadExt + Unpin>, limit: usize) -> (Vec<u8>, bool) {
    let Some(mut stream) = stream else { return (Vec::new(), false) };
    let (mut kept, mut more, mut buffer) = (Vec::new(), false, vec![0; 32 << 10]);
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let room = limit.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
        more |= room < count;
    }
    (kept, more)
}

fn short(message: &str) -> String {
    let lines = message.lines().map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: ").trim());
    let told: Vec<&str> = lines.filter(|line| !line.is_empty()).take(3).collect();
    if told.is_empty() { "it said nothing".to_owned() } else { told.join("; ") }
}

/// Whether a text is the full id of a commit.
pub(crate) fn is_id(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
