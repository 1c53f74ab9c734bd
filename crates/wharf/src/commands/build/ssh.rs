//! `--ssh`: the agents whose keys steps may use.

use crate::cli::usage;
use crate::interrupt::{self, Kind, Ours};
use base::Problem;
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An agent that has not begun to listen by then never does.
const PATIENCE: Duration = Duration::from_secs(5);
const HINT: &str = "write default for the agent of SSH_AUTH_SOCK, ID=SOCKET for another one, or ID=KEY for a key's file";

/// The agents of a command, ended with it.
#[derive(Default)]
pub struct Agents {
    own: Vec<Own>,
}

/// An agent that was started for the keys of files.
struct Own {
    child: Ours,
    folder: PathBuf,
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.child.kill();
        let _ = self.child.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Agents {
    /// Reads the flags as docker does, and starts what they need; the sockets by id.
    ///
    /// # Errors
    /// When there is no agent, or no such file, or a key cannot be used.
    pub fn open(&mut self, asked: &[String]) -> Result<BTreeMap<String, PathBuf>, Problem> {
        let mut sockets = BTreeMap::new();
        for text in asked {
            let (id, given) = text.split_once('=').unwrap_or((text, ""));
            let wrong = |why: String| usage(format!("`--ssh {text}`: {why}")).hint(HINT);
            if id.is_empty() {
                return Err(wrong("it has no id".to_owned()));
            }
            if sockets.contains_key(id) {
                return Err(wrong(format!("`{id}` is there already")));
            }
            let socket = match given {
                "" => of_user().map_err(wrong)?,
                _ => match given.split(',').map(PathBuf::from).collect::<Vec<_>>().as_slice() {
                    [only] if is_socket(only) => only.clone(),
                    keys => self.of_keys(keys).map_err(wrong)?,
                },
            };
            sockets.insert(id.to_owned(), socket);
        }
        Ok(sockets)
    }

    /// An agent with the keys of files: the host's own, which knows all kinds of keys and asks for their passphrases.
    fn of_keys(&mut self, keys: &[PathBuf]) -> Result<PathBuf, String> {
        if let Some(missing) = keys.iter().find(|key| !key.is_file()) {
            return Err(format!("`{}` is no socket and no file of a key", missing.display()));
        }
        let folder = std::env::temp_dir().join(format!("wharf-ssh-{}", base::ids::suffix(12)));
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
        let socket = folder.join("agent");
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = interrupt::spawn(&mut command, Kind::Group);
        let child = started.map_err(|error| {
            let _ = std::fs::remove_dir(&folder);
            program("ssh-agent", &error)
        })?;
        self.own.push(Own { child, folder });
        let begun = Instant::now();
        while !is_socket(&socket) {
            if begun.elapsed() > PATIENCE {
                return Err("the agent for its keys does not begin to listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        add(&socket, keys)?;
        Ok(socket)
    }
}

fn of_user() -> Result<PathBuf, String> {
    let path = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = path.ok_or("there is no ssh agent here: SSH_AUTH_SOCK is not set")?;
    if is_socket(&path) { Ok(path) } else { Err(format!("SSH_AUTH_SOCK names `{}`, which is no socket", path.display())) }
}

fn add(socket: &Path, keys: &[PathBuf]) -> Result<(), String> {
    let output = Command::new("ssh-add").arg("-q").arg("--").args(keys).env("SSH_AUTH_SOCK", socket).stdin(Stdio::null()).output();
    let output = output.map_err(|error| program("ssh-add", &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("the key cannot be used: {}", said.lines().next().unwrap_or_default().trim()))
}

fn program(name: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("the program `{name}` is not here: install openssh-client, or add the key to an agent"),
        _ => format!("cannot start {name}: {error}"),
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ProblemKind;

    #[test]
    fn agents_are_sockets_or_files_of_keys() {
        let why = |text: &str| {
            let problem = Agents::default().open(&[text.to_owned()]).expect_err(text);
            assert_eq!(problem.kind, ProblemKind::Usage);
            problem.message
        };
        assert!(why("=x").contains("has no id"));
        assert!(why("default=/no/such").contains("`/no/such` is no socket and no file of a key"));
        let folder = std::env::temp_dir().join(format!("wharf-ssh-test-{}", base::ids::suffix(8)));
        std::fs::create_dir(&folder).expect("folder");
        let socket = folder.join("socket");
        let _listening = std::os::unix::net::UnixListener::bind(&socket).expect("socket");
        let given = format!("default={}", socket.display());
        assert_eq!(Agents::default().open(std::slice::from_ref(&given)).expect("agent"), BTreeMap::from([("default".to_owned(), socket)]));
        assert!(Agents::default().open(&[given.clone(), given]).expect_err("twice").message.contains("is there already"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
