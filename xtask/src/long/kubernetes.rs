//! The program with a real Kubernetes.

use super::Long;
use std::path::Path;
use std::process::Command;

pub(super) const TEST: Long = Long {
    name: "kubernetes",
    usage: "DIR",
    about: "a project delivered to the real Kubernetes that kubernetes/build.sh of the workbench built in DIR: started, taken down and\n\
        looked after here. Needs root, and the NodePorts of 127.0.0.1 and its port 5000 free",
    run,
};

fn run(arguments: &[String]) -> Result<(), String> {
    let [folder] = arguments else { return Err("wants the folder that kubernetes/build.sh built".to_owned()) };
    let folder = std::fs::canonicalize(folder).map_err(|error| format!("{folder}: {error}"))?;
    let (up, down) = (super::shared("kubernetes/up.sh")?, super::shared("kubernetes/down.sh")?);
    well(Command::new(up).arg(&folder))?;
    let tested = tests(&folder);
    tested.and(well(Command::new(down).arg(&folder)))
}

fn tests(folder: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    // The features of the whole workspace, as every other run of cargo here has them.
    cargo.args(["test", "--locked", "--quiet", "--workspace", "--test", "kubernetes", "--", "--nocapture", "--test-threads", "1"]);
    cargo.current_dir(crate::root()).env("WHARF_TEST_KUBECONFIG", folder.join("run/admin.kubeconfig"));
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
