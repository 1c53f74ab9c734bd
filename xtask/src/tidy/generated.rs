//! Generated files say so, and by what.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "generated files are marked", run };

fn run(tree: &Tree, found: &mut Violations) {
    for file in tree.rust().filter(|file| file.path.contains("/generated/") || file.path.ends_with("/generated.rs")) {
        // This check has the name of what it checks.
        if !file.is_generated() && !file.path.starts_with("xtask/") {
            found.add(&file.path, 1, concat!("write `@gene", "rated by ...; do not edit` into its first line"));
        }
    }
}
