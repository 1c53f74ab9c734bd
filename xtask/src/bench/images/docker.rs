//! dockerd, for comparison.

use super::super::site;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A dockerd that has not answered by then does not run here.
const PATIENCE: Duration = Duration::from_secs(20);

/// dockerd with a folder, a socket and no packet rules of its own; it ends when dropped.
pub(super) struct Daemon {
    child: Child,
    socket: String,
    /// Its own network namespace, which it leaves mounted.
    namespace: PathBuf,
}

impl Daemon {
    pub(super) fn start(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start dockerd: {error}");
        std::fs::create_dir_all(folder).map_err(failed)?;
        let at = |name: &str| folder.join(name).display().to_string();
        let socket = format!("unix://{}", at("socket"));
        let log = std::fs::File::create(folder.join("log")).map_err(failed)?;
        let child = Command::new("dockerd")
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid"), "--host", &socket])
            .args(["--iptables=false", "--bridge=none"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let daemon = Self { child, socket, namespace: folder.join("exec/netns/default") };
        let begun = Instant::now();
        while site::said(daemon.docker(false).arg("info")).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "skipped: dockerd that runs here: {}",
                    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(daemon)
    }

    pub(super) fn docker(&self, buildkit: bool) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.socket]).env("DOCKER_BUILDKIT", if buildkit { "1" } else { "0" });
        command
    }

    /// A build whose steps have the host's network: the daemon has no bridge.
    pub(super) fn build(&self, buildkit: bool) -> Command {
        let mut command = self.docker(buildkit);
        command.args(["build", "--quiet", "--network", "host", "--tag", if buildkit { "flask:buildkit" } else { "flask:docker" }]);
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It takes its containerd along when asked, not when killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = Command::new("umount").arg(&self.namespace).stderr(Stdio::null()).status();
    }
}
