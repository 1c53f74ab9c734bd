//! The program with a real Kubernetes, which takes its images from the program's own registry.

use super::Long;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(super) const TEST: Long = Long {
    name: "kubernetes",
    usage: "DIR [--wharf FILE]",
    about: "a project delivered to the real Kubernetes that kubernetes/build.sh of the workbench built in DIR, by way of our registry;\n\
        both are started and ended here. Needs root, the NodePorts of 127.0.0.1 and its port 5000. --wharf: the program, otherwise\n\
        built as it ships",
    run,
};

const REGISTRY: &str = "127.0.0.1:5000";

fn run(arguments: &[String]) -> Result<(), String> {
    let (wharf, rest) = super::program(arguments)?;
    let [folder] = rest.as_slice() else { return Err("wants the folder that kubernetes/build.sh built".to_owned()) };
    let folder = std::fs::canonicalize(folder).map_err(|error| format!("{folder}: {error}"))?;
    let wharf = wharf.map_or_else(crate::product::built, Ok)?;
    let (up, down) = (super::shared("kubernetes/up.sh")?, super::shared("kubernetes/down.sh")?);
    let _registry = Registry::start(&wharf)?;
    well(Command::new(up).arg(&folder).env("REGISTRY", "none"))?;
    let tested = tests(&folder, &wharf);
    tested.and(well(Command::new(down).arg(&folder)))
}

fn tests(folder: &Path, wharf: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    // The features of the whole workspace, as every other run of cargo here has them.
    cargo.args(["test", "--locked", "--quiet", "--workspace", "--test", "kubernetes", "--", "--nocapture", "--test-threads", "1"]);
    cargo.current_dir(crate::root()).env("WHARF_TEST_KUBECONFIG", folder.join("run/admin.kubeconfig")).env("WHARF_TEST_PROGRAM", wharf);
    if std::env::var_os("WHARF_TEST_BASES").is_none() {
        cargo.env("WHARF_TEST_BASES", super::bases()?);
    }
    well(&mut cargo)
}

fn well(command: &mut Command) -> Result<(), String> {
    let shown = format!("{:?}", command.get_program());
    let status = command.status().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Our registry, with a folder of its own; both go with the value.
struct Registry {
    process: Child,
    folder: PathBuf,
}

impl Registry {
    fn start(wharf: &Path) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("wharf-registry-{}", std::process::id()));
        let mut command = Command::new(wharf);
        command.args(["registry", "serve", "--listen", REGISTRY, "--json", "--root"]).arg(folder.join("root"));
        command.arg("--home").arg(folder.join("home")).stdin(Stdio::null()).stdout(Stdio::piped());
        let process = command.spawn().map_err(|error| format!("cannot run {}: {error}", wharf.display()))?;
        let mut registry = Self { process, folder };
        let mut line = String::new();
        let out = registry.process.stdout.take().ok_or("the registry has no output")?;
        BufReader::new(out).read_line(&mut line).map_err(|error| format!("the registry was lost: {error}"))?;
        if line.contains(REGISTRY) { Ok(registry) } else { Err(format!("the registry did not start: {line}")) }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
