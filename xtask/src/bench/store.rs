//! The engine's journal alone.

use super::Bench;
use super::site::{self, Site};

pub(super) const BENCH: Bench = Bench {
    name: "store",
    about: "commits a second with 1, 16 and 64 writers, reopening, a thousand watchers (crates/store/benches/commits.rs); no peer",
    run,
};

fn run(_: &Site) -> Result<(), String> {
    site::cargo_bench("store", "commits", &[])
}
