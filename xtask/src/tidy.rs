//! `xtask tidy`: the house rules that neither the compiler nor clippy checks. Each is a file in `tidy/` and a line in [`CHECKS`].

mod generated;
mod headers;
mod layers;
mod lengths;
mod lockfile;
mod mask;
mod modules;
mod paths;
mod pure;
mod registries;
mod speech;
mod todos;
mod tree;
mod unsafety;

use crate::Command;
use tree::Tree;

/// See the module.
pub const COMMAND: Command =
    Command { name: "tidy", about: "checks the house rules: layers, lengths, registries, ...; `--shrink` lowers the allowed lengths", run };

/// A rule of the house.
struct Check {
    /// What must hold, in a few words.
    about: &'static str,
    /// Looks at the tree.
    run: fn(&Tree, &mut Violations),
}

const CHECKS: &[Check] = &[
    layers::CHECK,
    headers::CHECK,
    unsafety::CHECK,
    pure::CHECK,
    lengths::CHECK,
    modules::CHECK,
    registries::CHECK,
    speech::CHECK,
    paths::CHECK,
    todos::CHECK,
    lockfile::CHECK,
    generated::CHECK,
];

/// What does not hold, each as `file:line: message`.
#[derive(Default)]
struct Violations(Vec<(String, usize, String)>);

impl Violations {
    fn add(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.0.push((path.to_owned(), line, message.into()));
    }
}

/// Everything that does not hold, one line each.
fn violations() -> Result<Vec<String>, String> {
    let tree = Tree::read(&crate::root())?;
    let mut lines = Vec::new();
    for check in CHECKS {
        let mut found = Violations::default();
        (check.run)(&tree, &mut found);
        found.0.sort();
        lines.extend(found.0.into_iter().map(|(path, line, message)| format!("{path}:{line}: {message} [{}]", check.about)));
    }
    Ok(lines)
}

fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.iter().any(|argument| argument == "--shrink") {
        return lengths::shrink(&Tree::read(&crate::root())?);
    }
    let lines = violations()?;
    lines.iter().for_each(|line| println!("{line}"));
    if lines.is_empty() { Ok(()) } else { Err(format!("{} house rules are broken", lines.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let lines = violations().expect("the tree is read");
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    /// Every check must be able to fail: a tree made of faults breaks each of them.
    #[test]
    fn every_check_can_fail() {
        let long = format!("//! x\nfn long() {{\n{}}}\n", "    let _ = 1;\n".repeat(500));
        let lock = "[[package]]\nname = \"x\"\n".repeat(451);
        let files = [
            ("crates/base/Cargo.toml", "[package]\nname = \"base\"\n[dependencies]\nk8s.workspace = true\n"),
            ("crates/linter/src/rules/dl9999.rs", "//! x\n"),
            ("crates/linter/src/rules.rs", "//! x\npub const RULES: &[Rule] = &[];\n"),
            (
                "crates/k8s/src/lib.rs",
                concat!("use std::fs;\nfn f() { unsafe { g() } println!(\"x\"); std::env::var(\"X\"); } // TO", "DO later\n"),
            ),
            ("crates/k8s/src/a/mod.rs", "//! x\n"),
            ("crates/k8s/src/generated/x.rs", "//! x\n"),
            ("crates/k8s/src/long.rs", long.as_str()),
            ("notes.md", concat!("see /wo", "rk/main\n")),
            ("Cargo.lock", lock.as_str()),
        ];
        let tree = Tree::of(files.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec());
        for check in CHECKS {
            let mut found = Violations::default();
            (check.run)(&tree, &mut found);
            assert!(!found.0.is_empty(), "{}", check.about);
        }
    }
}
