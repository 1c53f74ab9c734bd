//! Tests that kill what they test, again and again: what they find depends on the moment.

use super::Long;
use std::process::Command;

pub(super) const TEST: Long = Long {
    name: "kills",
    usage: "[ROUNDS]",
    about: "the tests that end processes, disks and runs at some moment, 50 times or ROUNDS: the store's journal, imports of layers,\n\
        deploys, shims (needs root)",
    run,
};

/// The package, its test file, and what the tests' names hold.
const KILLS: [(&str, &str, &str); 4] =
    [("store", "crash", ""), ("blobs", "crashes", ""), ("delivery", "deploy", "killed"), ("runtime", "lives", "killed")];

fn run(arguments: &[String]) -> Result<(), String> {
    let rounds = arguments.first().map_or(Ok(50), |text| text.parse::<u32>()).map_err(|_| "ROUNDS is a number".to_owned())?;
    for round in 1..=rounds {
        println!("== round {round} of {rounds}");
        for kill in KILLS {
            one(kill)?;
        }
    }
    Ok(())
}

fn one((package, test, names): (&str, &str, &str)) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    // As `cargo xtask test` builds them, so that it is done once.
    cargo.args(["test", "--locked", "--quiet", "--workspace", "--test", test, "--", names]).current_dir(crate::root());
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{package}: {told}{}", String::from_utf8_lossy(&output.stderr)));
    }
    // A name that no test has any more would pass for ever.
    if told.contains("ok. 0 passed") { Err(format!("no test of {package} is named `{names}`")) } else { Ok(()) }
}
