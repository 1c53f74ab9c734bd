//! A module with parts is `foo.rs` beside `foo/`.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "foo.rs and foo/, never mod.rs", run };

fn run(tree: &Tree, found: &mut Violations) {
    // The parts of an integration test have no other place.
    for file in tree.rust().filter(|file| file.path.ends_with("/mod.rs") && !file.path.contains("/tests/")) {
        found.add(&file.path, 1, "a mod.rs");
    }
}
