//! Every Rust file starts by saying what it is for.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "every file starts with a `//!` line", run };

fn run(tree: &Tree, found: &mut Violations) {
    for file in tree.rust() {
        let first = file.text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.len() < 5 {
            found.add(&file.path, 1, "the file does not say what it is for");
        }
    }
}
