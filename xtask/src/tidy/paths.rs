//! Nothing in the tree knows the machine that it was written on.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "no paths of this machine", run };

/// Beginnings of paths that exist on one machine only, written so that they do not stand here.
const FORBIDDEN: [&str; 7] = [
    concat!("/wo", "rk/main"),
    concat!("/wo", "rk/wt"),
    concat!("/wo", "rk/shared"),
    concat!("/wo", "rk/plan"),
    concat!("/wo", "rk/target"),
    concat!("/root/.car", "go"),
    concat!("/root/.rust", "up"),
];

fn run(tree: &Tree, found: &mut Violations) {
    let root = tree.root.to_string_lossy().into_owned();
    let own = Some(root.as_str()).filter(|root| root.len() > 8);
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(path) = FORBIDDEN.into_iter().chain(own).find(|path| line.contains(path)) {
                found.add(&file.path, index + 1, format!("`{path}` is a path of one machine"));
            }
        }
    }
}
