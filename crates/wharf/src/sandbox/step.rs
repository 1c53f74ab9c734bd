//! `RUN` steps in the sandbox.

use super::agent::Forwarded;
use super::{Sandbox, default_privileges, host, name_files};
use base::{Problem, files};
use builder::{Exit, Hidden, Isolate, IsolateError, Network, RunMount, RunSource, RunStep};
use runtime::{ContainerSpec, Mount, MountSource, Propagation, Resources, Root, Streams, User};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

impl Isolate for Sandbox {
    fn run(&self, step: &RunStep, output: &dyn Fn(&str)) -> Result<Exit, IsolateError> {
        let exit = self.step(step, false, |streams| self.tokio.block_on(lines(streams, output)))?;
        Ok(match exit.signal {
            _ if exit.oom_killed => Exit::OutOfMemory,
            Some(signal) => Exit::Signal(signal),
            None => Exit::Code(exit.code),
        })
    }

    fn shell(&self, step: &RunStep) -> Result<(), IsolateError> {
        let mut step = step.clone();
        let kind = std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned());
        if step.env.iter().all(|(name, _)| name != "TERM") {
            step.env.push(("TERM".to_owned(), kind));
        }
        self.step(&step, true, |streams| self.tokio.block_on(crate::session::in_terminal(streams))).map(drop)
    }
}

impl Sandbox {
    /// Runs a step to its end, its streams watched.
    fn step(&self, step: &RunStep, terminal: bool, watch: impl FnOnce(Streams)) -> Result<runtime::Exit, IsolateError> {
        let refused = |problem: Problem| IsolateError { hint: problem.hints.join("; "), message: problem.message };
        let folder = self.files(&step.name);
        let secrets = self.memory().join(&step.name);
        let done = (|| {
            // Opened first: that sweeps away what others have left in memory.
            self.opened()?;
            // Answered until the step is over.
            let mut agents = Vec::new();
            let mut container = container(step, &folder, self.mounts(step, &secrets, &mut agents)?)?;
            (container.stdin, container.terminal) = (terminal, terminal);
            let started = self.start_in(&step.name, &container, &Resources::default(), step.network)?;
            watch(started.streams);
            self.finish(&started.pod)
        })();
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::remove_dir_all(&secrets);
        let _ = std::fs::remove_dir(self.memory());
        done.map_err(refused)
    }

    /// What is mounted for a step; secrets are written to `secrets`, where agents listen too.
    fn mounts(&self, step: &RunStep, secrets: &Path, agents: &mut Vec<Forwarded>) -> Result<Vec<Mount>, Problem> {
        let one = |(number, mount): (usize, &RunMount)| {
            let source = match &mount.source {
                RunSource::Path(path) => MountSource::Bind(path.clone()),
                RunSource::Below { base, path } => MountSource::BindBelow { base: base.clone(), path: path.clone() },
                RunSource::Layers { layers, place, path } => {
                    MountSource::Layers { layers: layers.clone(), place: place.clone(), path: path.clone() }
                }
                RunSource::Tmpfs { size_bytes } => MountSource::Tmpfs { size_bytes: *size_bytes, mode: 0o1777 },
                RunSource::Secret { content, mode, uid, gid } => {
                    let path = secrets.join(number.to_string());
                    write_secret(&path, content, *mode, (*uid, *gid))
                        .map_err(|error| host(&files::FileError::new("write", &path, error)))?;
                    MountSource::Bind(path)
                }
                RunSource::Agent { socket, mode, uid, gid } => {
                    let path = secrets.join(number.to_string());
                    agents.push(self.forward(socket, &path, *mode, (*uid, *gid))?);
                    MountSource::Bind(path)
                }
            };
            Ok(Mount { source, target: mount.target.clone(), read_only: mount.read_only, propagation: Propagation::None })
        };
        step.mounts.iter().enumerate().map(one).collect()
    }

    fn forward(&self, socket: &Path, place: &Path, mode: u32, owner: (u32, u32)) -> Result<Forwarded, Problem> {
        files::make_folder(place.parent().unwrap_or(place), 0o700).map_err(|error| host(&error))?;
        let _inside = self.tokio.enter();
        Forwarded::open(socket.to_path_buf(), place, mode, owner).map_err(|error| host(&files::FileError::new("listen at", place, error)))
    }
}

fn write_secret(path: &Path, content: &Hidden, mode: u32, owner: (u32, u32)) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    files::make_folder(parent, 0o700).map_err(|error| error.source)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&content.0)?;
    std::os::unix::fs::fchown(&file, Some(owner.0), Some(owner.1))?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

fn container(step: &RunStep, folder: &Path, own: Vec<Mount>) -> Result<ContainerSpec, Problem> {
    let mut mounts = match step.network {
        Network::Host => ["/etc/resolv.conf", "/etc/hosts"].into_iter().filter(|path| Path::new(path).exists()).map(of_host).collect(),
        Network::Outward | Network::None => name_files(folder, &step.name)?,
    };
    mounts.extend(own);
    let writable = step.upper.parent().unwrap_or(&step.upper).to_path_buf();
    Ok(ContainerSpec {
        name: "run".to_owned(),
        attempt: 0,
        root: Root { layers: step.layers.clone(), writable, read_only: false },
        args: step.args.clone(),
        env: step.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        working_dir: step.workdir.clone(),
        user: User { image: step.user.clone(), ..User::default() },
        privileges: default_privileges(),
        resources: Resources::default(),
        mounts,
        log: None,
        stdin: false,
        terminal: false,
    })
}

/// A file of this machine at its own place.
fn of_host(path: &str) -> Mount {
    Mount { source: MountSource::Bind(PathBuf::from(path)), target: path.to_owned(), read_only: true, propagation: Propagation::None }
}

/// What is longer comes as several lines.
const LONGEST: usize = 64 << 10;
/// A line is cut between words where some end within this much.
const NEAR: usize = 4 << 10;

/// Hands the lines of both streams on, until both end.
pub async fn lines(streams: Streams, output: &dyn Fn(&str)) {
    let read = |stream: Option<Box<dyn AsyncRead + Send + Unpin>>| async move {
        let Some(stream) = stream else { return };
        let mut reader = BufReader::new(stream);
        let (mut line, mut goes_on) = (Vec::new(), false);
        // One byte more than a line may have tells whether it goes on.
        let room = |line: &Vec<u8>| (LONGEST + 1).saturating_sub(line.len()) as u64;
        while (&mut reader).take(room(&line)).read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            if line.ends_with(b"\n") {
                whole(&line, goes_on, output);
                line.clear();
                goes_on = false;
            } else if line.len() > LONGEST {
                let rest = line.split_off(cut(&line));
                output(&String::from_utf8_lossy(&line));
                (line, goes_on) = (rest, true);
            }
        }
        if !line.is_empty() {
            whole(&line, goes_on, output);
        }
    };
    tokio::join!(read(Some(streams.stdout)), read(streams.stderr));
}

/// Tells a line without its end; that of one that was cut is no line of its own.
fn whole(line: &[u8], goes_on: bool, output: &dyn Fn(&str)) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    if !text.is_empty() || !goes_on {
        output(text);
    }
}

/// Where a line that is too long is cut: between words, so that what is looked for in lines is found; never within a character.
fn cut(line: &[u8]) -> usize {
    let from = LONGEST - NEAR;
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"',;".contains(byte);
    let word = line.get(from..LONGEST).and_then(|near| near.iter().rposition(ends)).map(|last| from + last + 1);
    let begins = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    word.or_else(|| (LONGEST - 3..=LONGEST).rev().find(begins)).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    async fn lines_of(content: impl AsyncRead + Send + Unpin + 'static) -> Vec<String> {
        let said = RefCell::new(Vec::new());
        let streams =
            Streams { stdin: None, stdout: Box::new(content), stderr: None, resize: None, exit: tokio::sync::oneshot::channel().1 };
        lines(streams, &|line| said.borrow_mut().push(line.to_owned())).await;
        said.into_inner()
    }

    #[tokio::test]
    async fn lines_are_as_they_were_said() {
        let long = "x".repeat(64 << 10);
        for end in ["\n", "\r\n", ""] {
            let said = lines_of(std::io::Cursor::new(format!("a\n\n b \r\n{long}{end}"))).await;
            assert_eq!(said, ["a", "", " b ", long.as_str()], "{end:?}");
        }
    }

    #[tokio::test]
    async fn lines_without_an_end_come_in_pieces_with_nothing_lost() {
        let said = lines_of(tokio::io::repeat(0).take(1_000_000)).await;
        assert!(said.iter().all(|line| line.len() <= 64 << 10), "{:?}", said.iter().map(String::len).collect::<Vec<_>>());
        assert_eq!(said.concat(), "\0".repeat(1_000_000));
        for content in ["€".repeat(50_000), format!("x{}", "€".repeat(50_000)), format!("{}\r{}", "y".repeat(65_500), "z".repeat(9_000))]
        {
            assert_eq!(lines_of(std::io::Cursor::new(content.clone())).await.concat(), content);
        }
        // Words stay whole, so that what is looked for in lines is found.
        let said = lines_of(std::io::Cursor::new("a word and another, ".repeat(10_000))).await;
        assert!(said.len() == 4 && said.iter().all(|line| line.ends_with(' ') || line.ends_with(',')), "{}", said.len());
    }
}
