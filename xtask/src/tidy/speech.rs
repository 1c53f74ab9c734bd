//! Libraries never print, never read the environment, never exit.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "libraries neither print nor read the environment nor exit", run };

const FORBIDDEN: [&str; 8] = ["println!", "eprintln!", "print!", "eprint!", "dbg!", "env::var", "process::exit", "env::args"];
/// The room that speaks, and the one that wraps the system.
const EXCEPT: [&str; 2] = ["wharf", "sys"];

fn run(tree: &Tree, found: &mut Violations) {
    let libraries = tree.rust().filter(|file| file.room().is_some_and(|room| !EXCEPT.contains(&room)));
    for file in libraries {
        for (number, line) in file.code_lines() {
            if let Some(what) = FORBIDDEN.iter().find(|what| stands_in(line, what)) {
                found.add(&file.path, number, format!("`{what}` in a library"));
            }
        }
    }
}

fn stands_in(line: &str, what: &str) -> bool {
    let begins = |at: usize| !line.get(..at).unwrap_or_default().ends_with(|c: char| c.is_alphanumeric() || c == '_');
    line.match_indices(what).any(|(at, _)| begins(at))
}
