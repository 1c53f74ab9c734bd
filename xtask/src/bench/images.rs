//! An image of a real service beside docker: from nothing, with one line changed, and with nothing changed.

mod bare;
mod docker;
mod memory;

use super::Bench;
use super::site::{self, Site};
use bare::Bare;
use docker::Daemon;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub(super) const BENCH: Bench = Bench {
    name: "images",
    about: "the Flask image of examples/jobs-python (pip installs its packages): with nothing changed 20 times, with a line of its program\n\
        changed 10 times, and from its base 8 times beside the bare commands of its RUN; the peak of our memory (PSS). `wharf build`,\n\
        docker's own builder and BuildKit inside dockerd take turns, each as a user calls it; without dockerd ours alone. Needs root,\n\
        unshare, and the base as an archive (WHARF_TEST_BASES)",
    run,
};

const BASE: &str = "python_3.11-slim.tar";
const WARM: usize = 20;
const CHANGED: usize = 10;
const COLD: usize = 8;

fn run(site: &Site) -> Result<(), String> {
    site::need(&["unshare"])?;
    let bases = std::env::var_os("WHARF_TEST_BASES").map(PathBuf::from).ok_or("skipped: WHARF_TEST_BASES")?;
    let base = bases.join(BASE);
    if !base.is_file() {
        return Err(format!("skipped: {}", base.display()));
    }
    let context = site.folder().join("context");
    site::run(Command::new("cp").arg("-r").arg(crate::root().join("examples/jobs-python/app-a")).arg(&context))?;
    let daemon = peer(site, &base)?;
    let home = site.folder().join("image-home");
    let wharf = Wharf { program: site.wharf()?, home: &home };
    site::said(wharf.command(&["image", "load", "--quiet"]).arg(&base))?;
    let bare = Bare::new(site.folder().join("bare"), &context, &mut wharf.command(&["build", "--quiet"]))?;
    let builders = Builders { wharf, daemon: daemon.as_ref(), context: &context };
    // Once, so that every file has been read and every daemon has woken.
    builders.turns(1, &[], || Ok(()))?;
    cold(site, &base, bare, &builders)?;
    builders.turns(CHANGED, &[], || change(&context.join("app.py")))?.print("one line changed");
    builders.turns(WARM, &[], || Ok(()))?.print("nothing changed");
    let peak = memory::peak_mb(builders.wharf.build(&["--no-cache"]).arg(&context), builders.wharf.program)?;
    println!("memory, from its base: at most {peak:.1} MB (PSS) in all our processes");
    Ok(())
}

/// From the base: each time in a home that has nothing else.
///
/// Nothing is removed in between: ext4 makes new files slowly for a minute after many were removed, and whoever comes next would pay.
fn cold(site: &Site, base: &Path, mut bare: Bare, builders: &Builders<'_>) -> Result<(), String> {
    bare.once(builders.context)?;
    let (mut alone, mut times) = (Vec::new(), Times::default());
    for round in 0..COLD {
        let home = site.folder().join(format!("image-home-{round}"));
        let fresh = Builders { wharf: Wharf { program: builders.wharf.program, home: &home }, ..*builders };
        site::said(fresh.wharf.command(&["image", "load", "--quiet"]).arg(base))?;
        // Whoever goes first does so every other time.
        if round % 2 == 0 {
            alone.push(bare.once(builders.context)?);
        }
        times.add(fresh.turns(1, &["--no-cache"], || Ok(()))?);
        if round % 2 == 1 {
            alone.push(bare.once(builders.context)?);
        }
    }
    let (alone, ours) = (site::median(alone), site::median(times.wharf.clone()));
    times.print("from its base");
    println!("    the bare commands {alone:.1} ms: wharf adds {:.1} ms", ours - alone);
    Ok(())
}

/// docker with the base, where it is installed.
fn peer(site: &Site, base: &Path) -> Result<Option<Daemon>, String> {
    if let Err(missing) = site::need(&["dockerd", "docker"]) {
        println!("{missing}: ours alone");
        return Ok(None);
    }
    let daemon = Daemon::start(&site.folder().join("docker"))?;
    site::said(daemon.docker(false).args(["load", "-i"]).arg(base))?;
    Ok(Some(daemon))
}

fn change(file: &Path) -> Result<(), String> {
    let open = std::fs::OpenOptions::new().append(true).open(file);
    open.and_then(|mut file| file.write_all(b"# one more line\n")).map_err(|error| format!("cannot change {}: {error}", file.display()))
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

    fn build(&self, options: &[&str]) -> Command {
        let mut command = self.command(&["build", "--quiet", "--tag", "flask"]);
        command.args(options);
        command
    }
}

struct Builders<'a> {
    wharf: Wharf<'a>,
    daemon: Option<&'a Daemon>,
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
    /// Everybody builds, `prepare` going before each.
    fn turns(&self, rounds: usize, options: &[&str], mut prepare: impl FnMut() -> Result<(), String>) -> Result<Times, String> {
        let mut times = Times::default();
        for _ in 0..rounds {
            prepare()?;
            times.wharf.push(timed(self.wharf.build(options).arg(self.context))?);
            if let Some(daemon) = self.daemon {
                times.docker.push(timed(daemon.build(false).args(options).arg(self.context))?);
                times.buildkit.push(timed(daemon.build(true).args(options).arg(self.context))?);
            }
        }
        Ok(times)
    }
}

impl Times {
    fn add(&mut self, other: Self) {
        self.wharf.extend(other.wharf);
        self.docker.extend(other.docker);
        self.buildkit.extend(other.buildkit);
    }

    fn print(self, what: &str) {
        let wharf = site::median(self.wharf);
        if self.docker.is_empty() {
            return println!("{what}: wharf {wharf:.1} ms");
        }
        let (docker, buildkit) = (site::median(self.docker), site::median(self.buildkit));
        println!("{what}: wharf {wharf:.1} ms, docker {docker:.1} ms, BuildKit {buildkit:.1} ms");
        println!("    docker/wharf {:.2}, BuildKit/wharf {:.2}", docker / wharf, buildkit / wharf);
    }
}

fn timed(command: &mut Command) -> Result<f64, String> {
    let begun = Instant::now();
    site::said(command)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
