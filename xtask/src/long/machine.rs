//! The tests that meet the kernel, on another kernel.

use super::Long;
use crate::suite::Counts;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const TEST: Long = Long {
    name: "machine",
    usage: "[--wharf FILE] [--short] [PACKAGE..]",
    about: "in a virtual machine with unified cgroup v2 and another kernel: the tests of the crates that meet one, or of PACKAGE.., those of\n\
        the whole program with the program as it ships (--wharf, otherwise built), and examples/jobs up and down. --short: the runtime's\n\
        alone. Needs root and the workbench's vm/run.sh (its `--deps` installs an emulator). Emulated: it takes minutes, and its times\n\
        mean nothing",
    run,
};

/// Overlays cannot have their writable part on the machine's own root, which is one.
const DISK: &str = "/disk";
/// Limits of time count this often in there.
const SLOW: &str = "WHARF_TEST_SLOW=10";
/// Each package and what its test programs are told further. The whole program's wait for each other, two engines would only wait longer.
const TESTS: &[(&str, &str)] =
    &[("runtime", ""), ("blobs", ""), ("store", ""), ("network", ""), ("engine", ""), ("node", ""), ("wharf", "engine:: --test-threads 1")];
const WHOLE: &str = "wharf";
/// Seconds; what hangs in there ends, too.
const LIMIT: &str = "3600";
/// Scripts of the inside, where this project lies; the machine cannot be told one in several lines.
const SCRIPTS: &str = "xtask/src/long/machine";

fn run(arguments: &[String]) -> Result<(), String> {
    let machine = super::shared("vm/run.sh")?;
    let (wharf, rest) = super::program(arguments)?;
    let is_short = rest.iter().any(|word| word == "--short");
    let named: Vec<&str> = rest.iter().map(String::as_str).filter(|word| *word != "--short").collect();
    if let Some(unknown) = named.iter().find(|name| !TESTS.iter().any(|(package, _)| package == *name)) {
        return Err(format!("no tests of `{unknown}` are for the machine"));
    }
    let is_asked = |package: &str| if named.is_empty() { !is_short || package == "runtime" } else { named.contains(&package) };
    let programs = programs(&is_asked)?;
    let mut variables = vec![format!("WHARF_TEST_DISK={DISK}"), format!("TMPDIR={DISK}"), SLOW.to_owned()];
    let mut whole = None;
    if is_asked(WHOLE) {
        let wharf = wharf.map_or_else(crate::product::built, Ok)?;
        variables.push(format!("WHARF_TEST_PROGRAM={}", wharf.display()));
        variables.push(format!("WHARF_TEST_BASES={}", super::bases()?.display()));
        whole = Some(wharf);
    }
    let mut words = vec!["sh".into(), script("tests.sh"), crate::root().into_os_string()];
    for (program, further) in &programs {
        words.extend([program.clone().into_os_string(), further.into()]);
    }
    let (root, target) = (crate::root(), crate::product::target());
    let folders = [Some(root.as_path()), Some(target.as_path()), whole.as_deref().and_then(Path::parent)];
    let shares = super::shares(&folders.into_iter().flatten().collect::<Vec<_>>());
    let machine = Machine { script: machine, shares };
    let tests = machine.tests(&variables, &words);
    let jobs = whole.map_or(Ok(()), |wharf| machine.jobs(&wharf));
    tests.and(jobs)
}

struct Machine {
    script: PathBuf,
    shares: Vec<OsString>,
}

impl Machine {
    /// Its command with a disk of its own, which is removed when it has ended.
    fn run(&self, words: &[OsString], run: impl FnOnce(&mut Command) -> Result<(), String>) -> Result<(), String> {
        let disk = std::env::temp_dir().join(format!("wharf-long-{}.img", std::process::id()));
        let mut command = Command::new(&self.script);
        command.arg("--disk").arg(format!("{}:4096", disk.display())).args(&self.shares);
        let done = run(command.args(["--timeout", LIMIT, "--"]).args(words));
        let _ = std::fs::remove_file(disk);
        done
    }

    /// Runs words there and counts the tests that speak.
    fn tests(&self, variables: &[String], words: &[OsString]) -> Result<(), String> {
        let words: Vec<OsString> =
            std::iter::once("env".into()).chain(variables.iter().map(OsString::from)).chain(words.iter().cloned()).collect();
        self.run(&words, |command| {
            let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot run the machine: {error}"))?;
            let mut counts = Counts::default();
            let out = child.stdout.take().ok_or("the machine has no output")?;
            counts.read(out, |line| ["== ", "failed: ", "skipped: "].iter().any(|start| line.starts_with(start)))?;
            let status = child.wait().map_err(|error| format!("the machine was lost: {error}"))?;
            println!("in the machine: {}", counts.summary());
            if status.success() && counts.is_well() { Ok(()) } else { Err(format!("tests in the machine: {status}")) }
        })
    }

    fn jobs(&self, wharf: &Path) -> Result<(), String> {
        let example = crate::root().join("examples/jobs");
        for service in ["app-a", "app-b"] {
            super::call(Command::new("./dist.sh").arg(service).current_dir(&example))?;
        }
        self.run(&["sh".into(), script("jobs.sh"), wharf.into(), crate::root().into()], super::call)
    }
}

fn script(name: &str) -> OsString {
    crate::root().join(SCRIPTS).join(name).into_os_string()
}

/// The test programs of the packages that are asked for, built here, each with its further words.
fn programs(is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<(PathBuf, String)>, String> {
    let mut cargo = Command::new("cargo");
    // As `cargo xtask test` builds them, so that it is done once.
    cargo.args(["test", "--locked", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let output =
        cargo.stderr(Stdio::inherit()).current_dir(crate::root()).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the tests do not build".to_owned());
    }
    let messages: Vec<Value> = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let mut found = Vec::new();
    for (package, further) in TESTS.iter().filter(|(package, _)| is_asked(package)) {
        let of_package = messages.iter().filter(|message| message["profile"]["test"] == true && is_of(message, package));
        let paths = of_package.filter_map(|message| message["executable"].as_str());
        found.extend(paths.map(|path| (PathBuf::from(path), (*further).to_owned())));
    }
    if found.is_empty() { Err("no test program was built".to_owned()) } else { Ok(found) }
}

/// Whether a message of cargo's is about a package of this project.
fn is_of(message: &Value, package: &str) -> bool {
    let manifest = message["manifest_path"].as_str().map(Path::new);
    manifest.and_then(Path::parent).and_then(Path::file_name).is_some_and(|folder| folder == package)
}
