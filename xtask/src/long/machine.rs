//! The tests that meet the kernel, on another kernel.

use super::Long;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(super) const TEST: Long = Long {
    name: "machine",
    usage: "[PACKAGE..]",
    about: "the tests of runtime and blobs, or PACKAGE.., in a virtual machine with unified cgroup v2 and another kernel; needs the\n\
        workbench's vm/run.sh (its `--deps` installs an emulator). Emulated: it takes minutes, and its times mean nothing",
    run,
};

/// Overlays cannot have their writable part on the machine's own root, which is one.
const DISK: &str = "/disk";

fn run(arguments: &[String]) -> Result<(), String> {
    let machine = super::shared("vm/run.sh")?;
    let default = ["runtime".to_owned(), "blobs".to_owned()];
    let packages = if arguments.is_empty() { &default[..] } else { arguments };
    let programs = programs(packages)?;
    let disk = std::env::temp_dir().join(format!("wharf-long-{}.img", std::process::id()));
    let script = "cd \"$1\"; shift; ends=0; for test; do \"$test\" --show-output || ends=1; done; exit $ends";
    let mut command = Command::new(machine);
    command.arg("--disk").arg(format!("{}:2048", disk.display())).args(["--", "env"]);
    command.args([format!("WHARF_TEST_DISK={DISK}"), format!("TMPDIR={DISK}")]);
    command.args(["sh", "-c", script, "tests"]).arg(crate::root()).args(programs);
    let done = super::call(&mut command);
    let _ = std::fs::remove_file(disk);
    done
}

/// The test programs of packages, built here.
fn programs(packages: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--locked", "--no-run", "--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    cargo.args(packages.iter().flat_map(|name| ["--package", name])).current_dir(crate::root());
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the tests do not build".to_owned());
    }
    let messages = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let tests = messages.filter(|message| message["profile"]["test"] == true);
    Ok(tests.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).collect())
}
