//! Only `sys` is unsafe.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "no unsafe code outside sys", run };

fn run(tree: &Tree, found: &mut Violations) {
    for file in tree.rust().filter(|file| !file.path.starts_with("crates/sys/")) {
        for (index, line) in file.code.lines().enumerate() {
            let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            if words.any(|word| word == "unsafe") {
                found.add(&file.path, index + 1, "unsafe code");
            }
        }
    }
}
