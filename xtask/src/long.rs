//! `xtask long`: what takes too long for every change; run by hand. Each is a file in `long/` and a line in [`TESTS`].

mod conformance;
mod fuzz;
mod kills;
mod machine;
mod properties;

use crate::Command;
use std::path::PathBuf;
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

const TESTS: &[Long] = &[properties::TEST, kills::TEST, fuzz::TEST, machine::TEST, conformance::TEST];

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
}
