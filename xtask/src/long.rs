//! `xtask long`: what takes too long for every change; run by hand. Each is a file in `long/` and a line in [`TESTS`].

mod conformance;
mod fuzz;
mod kills;
mod kubernetes;
mod machine;
mod power_cut;
mod properties;
mod versions;

use crate::Command;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

/// See the module.
pub const COMMAND: Command =
    Command { name: "long", about: "the long tests by name: [NAME [ARGUMENT..]]; without a name, lists them", run };

/// A long test.
struct Long {
    /// As it is asked for.
    name: &'static str,
    /// Its arguments.
    usage: &'static str,
    /// What it shows, and what it needs.
    about: &'static str,
    /// Runs it; an error when something does not hold.
    run: fn(&[String]) -> Result<(), String>,
}

const TESTS: &[Long] =
    &[properties::TEST, kills::TEST, fuzz::TEST, machine::TEST, power_cut::TEST, conformance::TEST, kubernetes::TEST, versions::TEST];

fn run(arguments: &[String]) -> Result<(), String> {
    let Some((name, rest)) = arguments.split_first() else {
        for test in TESTS {
            println!("{} {}\n    {}", test.name, test.usage, test.about.replace('\n', "\n    "));
        }
        return Ok(());
    };
    let test = TESTS.iter().find(|test| test.name == name).ok_or_else(|| format!("there is no long test `{name}`"))?;
    (test.run)(rest)
}

/// A script of the workbench that lies beside the project, or where WHARF_SHARED says.
fn shared(script: &str) -> Result<PathBuf, String> {
    let beside = crate::root().parent().map(|parent| parent.join("shared"));
    let folder = std::env::var_os("WHARF_SHARED").map(PathBuf::from).or(beside).unwrap_or_default();
    let found = folder.join(script);
    if found.is_file() { Ok(found) } else { Err(format!("{} is not there; WHARF_SHARED names its folder", found.display())) }
}

/// The program that arguments name by `--wharf FILE`, and the other arguments.
fn program(arguments: &[String]) -> Result<(Option<PathBuf>, Vec<String>), String> {
    let mut rest = arguments.to_vec();
    let Some(at) = rest.iter().position(|word| word == "--wharf") else { return Ok((None, rest)) };
    let named: Vec<String> = rest.drain(at..rest.len().min(at + 2)).collect();
    let file = named.get(1).ok_or("--wharf wants a file")?;
    let file = std::fs::canonicalize(file).map_err(|error| format!("{file}: {error}"))?;
    Ok((Some(file), rest))
}

/// Words that make vm/run.sh show the folders of these in the machine, which has a /tmp and a /run of its own.
fn shares(folders: &[&Path]) -> Vec<OsString> {
    let mut shown: Vec<PathBuf> = Vec::new();
    for folder in folders.iter().filter_map(|folder| std::fs::canonicalize(folder).ok()) {
        let is_hidden = ["/tmp", "/run"].iter().any(|own| folder.starts_with(own));
        if is_hidden && !shown.iter().any(|already| folder.starts_with(already)) {
            shown.push(folder);
        }
    }
    shown.into_iter().flat_map(|folder| ["--share".into(), folder.into_os_string()]).collect()
}

/// The folder of base images: of WHARF_TEST_BASES, or made by the workbench.
fn bases() -> Result<PathBuf, String> {
    if let Some(bases) = std::env::var_os("WHARF_TEST_BASES") {
        return Ok(bases.into());
    }
    let make = shared("bases/make.sh")?;
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).ok_or("HOME is not set")?;
    let bases = cache.join("wharf-ci/bases");
    call(Program::new(make).arg("--host-settings").arg(&bases).arg("busybox:stable").stdout(std::process::Stdio::null()))?;
    Ok(bases)
}

fn call(program: &mut Program) -> Result<(), String> {
    let status = program.status().map_err(|error| format!("cannot run {program:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program:?}: {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_test_is_an_error_and_names_are_told_apart() {
        let names: std::collections::BTreeSet<_> = TESTS.iter().map(|test| test.name).collect();
        assert_eq!(names.len(), TESTS.len());
        assert!(run(&["nonsense".to_owned()]).is_err());
    }

    #[test]
    fn what_a_machine_would_hide_is_shared_once() {
        let folder = std::env::temp_dir().join(format!("wharf-shares-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("below")).expect("made");
        let shared = shares(&[Path::new("/usr"), &folder, &folder.join("below"), &folder.join("missing")]);
        std::fs::remove_dir_all(&folder).expect("removed");
        if folder.starts_with("/tmp") {
            assert_eq!(shared, [OsString::from("--share"), folder.into_os_string()]);
        }
    }

    #[test]
    fn a_program_is_named_anywhere() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (named, rest) = program(&words(&["3", "--wharf", "/bin/sh", "x"])).expect("read");
        assert!(named.is_some_and(|path| path.is_file()));
        assert_eq!(rest, words(&["3", "x"]));
        assert!(program(&words(&["--wharf"])).is_err());
    }
}
