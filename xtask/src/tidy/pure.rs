//! Formats are pure: no clock, file, socket, process or environment.

use super::tree::{File, Tree};
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "pure rooms stay pure", run };

/// Rooms, and modules of base, that are pure.
const ROOMS: [&str; 3] = ["oci", "k8s", "dockerfile"];
/// The files of base that are not.
const BASE_EXCEPT: [&str; 3] = ["crates/base/src/files.rs", "crates/base/src/clock.rs", "crates/base/src/ids.rs"];
const FORBIDDEN: [&str; 12] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::net::{",
    "std::os",
    "std::process",
    "std::env",
    "std::thread",
    "SystemTime",
    "Instant",
    "tokio::",
];

fn run(tree: &Tree, found: &mut Violations) {
    for file in tree.rust().filter(|file| is_pure(file)) {
        for (number, line) in file.code_lines() {
            if let Some(what) = FORBIDDEN.iter().find(|what| uses(line, what)) {
                found.add(&file.path, number, format!("`{what}` in a pure room"));
            }
        }
    }
}

fn is_pure(file: &File) -> bool {
    let base = file.room() == Some("base") && !BASE_EXCEPT.contains(&file.path.as_str());
    base || file.room().is_some_and(|room| ROOMS.contains(&room))
}

/// The text stands there and is not the end of a longer name; `std::net::IpAddr` and its kin are plain values.
fn uses(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default().chars().next_back();
        let after = line.get(at + what.len()..).unwrap_or_default().chars().next();
        let ends = what.ends_with([':', '{']) || what.contains("net::") || !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        ends && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
