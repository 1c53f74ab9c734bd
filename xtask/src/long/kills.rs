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
    [("store", "crash", ""), ("blobs", "store", "killed"), ("delivery", "deploy", "killed"), ("runtime", "lives", "killed")];

fn run(arguments: &[String]) -> Result<(), String> {
    let rounds = arguments.first().map_or(Ok(50), |text| text.parse::<u32>()).map_err(|_| "ROUNDS is a number".to_owned())?;
    for round in 1..=rounds {
        println!("== round {round} of {rounds}");
        for (package, test, names) in KILLS {
            let mut cargo = Command::new("cargo");
            cargo.args(["test", "--locked", "--quiet", "--package", package, "--test", test, "--", names]);
            super::call(cargo.current_dir(crate::root()))?;
        }
    }
    Ok(())
}
