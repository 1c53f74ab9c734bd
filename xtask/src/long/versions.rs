//! The order of versions against the programs that define it.

use super::Long;
use std::process::Command;

pub(super) const TEST: Long = Long {
    name: "versions",
    usage: "[PAIRS [SEED]]",
    about: "the scanner's order of versions, each on 20,000 pairs or PAIRS, against dpkg, apk, packaging (PyPI), npm's semver and Go's x/mod;\n\
        one that is not here is skipped by name; WHARF_TEST_APK names an apk",
    run,
};

fn run(arguments: &[String]) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--locked", "--package", "scanner", "--test", "versions", "--", "--nocapture"]).current_dir(crate::root());
    for (variable, default, given) in [("WHARF_TEST_PAIRS", "20000", arguments.first()), ("WHARF_TEST_SEED", "1", arguments.get(1))] {
        let value = given.map_or(default, String::as_str);
        if value.parse::<u64>().is_err() {
            return Err(format!("`{value}` is no number"));
        }
        cargo.env(variable, value);
    }
    super::call(&mut cargo)
}
