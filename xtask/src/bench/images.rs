//! An image of a real service beside docker: from nothing, and with nothing changed.

use super::Bench;
use super::site::{self, Site};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const BENCH: Bench = Bench {
    name: "images",
    about: "the Flask image of examples/jobs-python (pip installs its packages): with nothing changed 20 times, and from its base 3\n\
        times; `wharf build`, docker's own builder and BuildKit inside dockerd take turns, each as a user calls it. Needs root,\n\
        dockerd, docker, and the base as an archive (WHARF_TEST_BASES)",
    run,
};

const BASE: &str = "python_3.11-slim.tar";
const WARM: usize = 20;
const COLD: usize = 3;
/// A dockerd that has not answered by then does not run here.
const PATIENCE: Duration = Duration::from_secs(20);

fn run(site: &Site) -> Result<(), String> {
    site::need(&["dockerd", "docker"])?;
    let bases = std::env::var_os("WHARF_TEST_BASES").map(PathBuf::from).ok_or("skipped: WHARF_TEST_BASES")?;
    let base = bases.join(BASE);
    if !base.is_file() {
        return Err(format!("skipped: {}", base.display()));
    }
    let context = site.folder().join("context");
    site::run(Command::new("cp").arg("-r").arg(crate::root().join("examples/jobs-python/app-a")).arg(&context))?;
    let daemon = Daemon::start(&site.folder().join("docker"))?;
    site::said(daemon.docker(false).args(["load", "-i"]).arg(&base))?;
    let home = site.folder().join("image-home");
    let wharf = Wharf { program: site.wharf()?, home: &home };
    site::said(wharf.command(&["image", "load", "--quiet"]).arg(&base))?;
    let builders = Builders { wharf, daemon: &daemon, context: &context };
    // Once, so that every file has been read and every daemon has woken.
    builders.turns(1, &[])?;
    builders.turns(COLD, &["--no-cache"])?.print("from its base");
    builders.turns(WARM, &[])?.print("nothing changed");
    Ok(())
}

struct Wharf<'a> {
    program: &'a Path,
    home: &'a Path,
}

impl Wharf<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(arguments).env("WHARF_HOME", self.home);
        command
    }
}

struct Builders<'a> {
    wharf: Wharf<'a>,
    daemon: &'a Daemon,
    context: &'a Path,
}

/// Milliseconds.
#[derive(Default)]
struct Times {
    wharf: Vec<f64>,
    docker: Vec<f64>,
    buildkit: Vec<f64>,
}

impl Builders<'_> {
    fn turns(&self, rounds: usize, options: &[&str]) -> Result<Times, String> {
        let mut times = Times::default();
        for _ in 0..rounds {
            times.wharf.push(timed(self.wharf.command(&["build", "--quiet", "--tag", "flask"]).args(options).arg(self.context))?);
            times.docker.push(timed(self.daemon.build(false).args(options).arg(self.context))?);
            times.buildkit.push(timed(self.daemon.build(true).args(options).arg(self.context))?);
        }
        Ok(times)
    }
}

impl Times {
    fn print(self, what: &str) {
        let (wharf, docker, buildkit) = (site::median(self.wharf), site::median(self.docker), site::median(self.buildkit));
        println!("{what}: wharf {wharf:.1} ms, docker {docker:.1} ms, BuildKit {buildkit:.1} ms");
        println!("    docker/wharf {:.2}, BuildKit/wharf {:.2}", docker / wharf, buildkit / wharf);
    }
}

fn timed(command: &mut Command) -> Result<f64, String> {
    let begun = Instant::now();
    site::said(command)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

/// dockerd with a folder, a socket and no packet rules of its own; it ends when dropped.
struct Daemon {
    child: Child,
    socket: String,
}

impl Daemon {
    fn start(folder: &Path) -> Result<Self, String> {
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
        let daemon = Self { child, socket };
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

    fn docker(&self, buildkit: bool) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.socket]).env("DOCKER_BUILDKIT", if buildkit { "1" } else { "0" });
        command
    }

    /// A build whose steps have the host's network: the daemon has no bridge.
    fn build(&self, buildkit: bool) -> Command {
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
    }
}
