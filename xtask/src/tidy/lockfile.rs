//! The lock file stays small, and that of the fuzz targets knows what the rooms need.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "at most 450 packages in the lock file; the fuzz targets' is up to date", run };

const MOST: usize = 450;
const FUZZ: &str = "fuzz/Cargo.lock";

fn run(tree: &Tree, found: &mut Violations) {
    let packages = tree.get("Cargo.lock").map_or(0, |file| file.text.lines().filter(|line| *line == "[[package]]").count());
    if packages == 0 {
        found.add("Cargo.lock", 1, "there is no lock file");
    }
    if packages > MOST {
        found.add("Cargo.lock", 1, format!("{packages} packages"));
    }
    let Some(fuzz) = tree.get(FUZZ) else { return };
    for package in fuzz.text.split("[[package]]\n").skip(1) {
        let Some(name) = package.strip_prefix("name = \"").and_then(|rest| rest.split('"').next()) else { continue };
        let Some(manifest) = tree.get(&format!("crates/{name}/Cargo.toml")) else { continue };
        let is_locked = |needed: &str| package.contains(&format!(" \"{needed}\"")) || package.contains(&format!(" \"{needed} "));
        if let Some(missing) = dependencies(&manifest.text).find(|needed| !is_locked(needed)) {
            found.add(FUZZ, 1, format!("`{name}` needs `{missing}`: run `cargo metadata` in fuzz/"));
        }
    }
}

/// The names below `[dependencies]`.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split_once("[dependencies]\n").map_or("", |(_, rest)| rest.split("\n[").next().unwrap_or(""));
    section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty() && !name.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_of_the_fuzz_targets_that_is_behind_is_told() {
        let lock = "[[package]]\nname = \"k8s\"\ndependencies = [\n \"base\",\n \"serde 1.0\",\n]\n";
        let tree = |manifest: &str| {
            let files = [("fuzz/Cargo.lock", lock), ("Cargo.lock", "[[package]]\n"), ("crates/k8s/Cargo.toml", manifest)];
            Tree::of(files.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec())
        };
        let faults = |manifest: &str| {
            let mut found = Violations::default();
            run(&tree(manifest), &mut found);
            found.0.len()
        };
        assert_eq!(faults("[dependencies]\nbase.workspace = true\nserde.workspace = true\n\n[dev-dependencies]\nproptest = \"1\"\n"), 0);
        assert_eq!(faults("[dependencies]\nbase.workspace = true\nyaml.workspace = true\n"), 1);
    }
}
