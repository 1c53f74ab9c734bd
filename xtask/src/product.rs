//! The program as it ships, built.

use std::path::PathBuf;
use std::process::Command;

/// The product's target and flags: as `cargo wharf` builds it, see `.cargo/config.toml`.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Builds it; where it is.
pub fn built() -> Result<PathBuf, String> {
    let mut cargo = Command::new("cargo");
    // The alias runs the program; asking for its version is the least that it can do.
    cargo.args(["wharf", "--version"]).current_dir(crate::root());
    let status = cargo.status().map_err(|error| format!("cannot run {cargo:?}: {error}"))?;
    if status.success() { Ok(target().join(TRIPLE).join("release/wharf")) } else { Err(format!("{cargo:?}: {status}")) }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}
