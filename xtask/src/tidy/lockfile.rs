//! The lock file stays small.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "at most 450 packages in the lock file", run };

const MOST: usize = 450;

fn run(tree: &Tree, found: &mut Violations) {
    let packages = tree.get("Cargo.lock").map_or(0, |file| file.text.lines().filter(|line| *line == "[[package]]").count());
    if packages == 0 {
        found.add("Cargo.lock", 1, "there is no lock file");
    }
    if packages > MOST {
        found.add("Cargo.lock", 1, format!("{packages} packages"));
    }
}
