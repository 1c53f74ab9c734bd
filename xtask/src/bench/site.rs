//! Where benchmarks run: a folder of their own, the program as it ships, and other programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// See the module; the folder goes when this is dropped.
pub(super) struct Site {
    folder: PathBuf,
    given: Option<PathBuf>,
    wharf: OnceLock<Result<PathBuf, String>>,
    peer: Option<PathBuf>,
}

impl Site {
    pub(super) fn new(given: Option<PathBuf>, peer: Option<PathBuf>) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("wharf-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self { folder, given, wharf: OnceLock::new(), peer })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The kubeconfig of a real Kubernetes, when one was named.
    pub(super) fn peer(&self) -> Option<&Path> {
        self.peer.as_deref()
    }

    /// The program as it was given.
    pub(super) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// The program, built or as given, under a path that no other process runs.
    pub(super) fn wharf(&self) -> Result<&Path, String> {
        let made = self.wharf.get_or_init(|| {
            let built = self.given.clone().map_or_else(crate::product::built, Ok)?;
            let own = self.folder.join("wharf");
            std::fs::copy(&built, &own).map_err(|error| format!("cannot copy {}: {error}", built.display()))?;
            Ok(own)
        });
        made.as_deref().map_err(Clone::clone)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Builds an example of a crate, optimised.
pub(super) fn example(package: &str, name: &str) -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    run(cargo.args(["build", "--locked", "--release", "--quiet", "--package", package, "--example", name]).current_dir(crate::root()))?;
    Ok(crate::product::target().join("release/examples").join(name))
}

/// Runs a crate's own benchmark, which prints its figures.
pub(super) fn cargo_bench(package: &str, name: &str, arguments: &[&str]) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--locked", "--quiet", "--package", package, "--bench", name, "--"]).args(arguments);
    run(cargo.current_dir(crate::root()))
}

/// Whether a program is on the path.
pub(super) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// What a program must be there for.
pub(super) fn need(programs: &[&str]) -> Result<(), String> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("skipped: {}", missing.join(", "))) }
}

/// Runs a command to its end; its output goes where ours goes.
pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// Runs a command to its end and hands over what it said.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
