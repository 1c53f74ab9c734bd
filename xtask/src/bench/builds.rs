//! Builds in which nothing, or little, has changed.

use super::Bench;
use super::site::{self, Site};

pub(super) const BENCH: Bench = Bench {
    name: "builds",
    about: "rebuilds with nothing and with one line changed, layers in and out (crates/builder/benches/rebuild.rs); no peer is run",
    run,
};

fn run(_: &Site) -> Result<(), String> {
    site::cargo_bench("builder", "rebuild", &[])
}
