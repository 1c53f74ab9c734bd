//! Properties, with many more random inputs than each change is tried with.

use super::Long;
use std::process::Command;

pub(super) const TEST: Long =
    Long { name: "properties", usage: "[CASES]", about: "every property of the pure crates with 20,000 random inputs, or CASES", run };

const CRATES: [&str; 7] = ["base", "oci", "dockerfile", "k8s", "store", "controllers", "scanner"];

fn run(arguments: &[String]) -> Result<(), String> {
    let cases = arguments.first().map_or("20000", String::as_str);
    if cases.parse::<u32>().is_err() {
        return Err(format!("`{cases}` is no number of cases"));
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--locked", "--release", "--no-fail-fast"]).env("PROPTEST_CASES", cases).current_dir(crate::root());
    cargo.args(CRATES.iter().flat_map(|name| ["--package", name]));
    super::call(&mut cargo)
}
