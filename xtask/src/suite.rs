//! `xtask test`: all tests of the workspace, with one line at the end that counts those skipped, too.

use crate::Command;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// See the module.
pub const COMMAND: Command = Command { name: "test", about: "runs every test and counts passed, failed and skipped", run };

/// Names what the caller has skipped itself, a line each; it is counted.
const LEFT_OUT: &str = "WHARF_TEST_LEFT_OUT";

/// What the test runner's lines are about.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Section {
    #[default]
    Progress,
    /// What tests that passed have said; it is only read for what was skipped.
    Successes,
    Failures,
}

/// What tests have come to, as their runner tells it.
#[derive(Default)]
pub struct Counts {
    section: Section,
    passed: usize,
    failed: usize,
    ignored: usize,
    skipped: BTreeSet<String>,
    skips: usize,
    /// Whether the test that speaks has said already that it was skipped.
    told_skip: bool,
    failures: BTreeSet<String>,
}

/// What is tested: this workspace, and examples that are one of their own because their images build them alone.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "examples/request-info/Cargo.toml"];

fn run(arguments: &[String]) -> Result<(), String> {
    let mut counts = Counts::default();
    let mut is_well = true;
    // Words for cargo are about packages of this one.
    let asked = if arguments.is_empty() { WORKSPACES.len() } else { 1 };
    for manifest in WORKSPACES.iter().take(asked) {
        is_well &= test(manifest, arguments, &mut counts)?;
    }
    counts.left_out(&std::env::var(LEFT_OUT).unwrap_or_default());
    println!("{}", counts.summary());
    if is_well && counts.is_well() { Ok(()) } else { Err("tests failed, or did not build".to_owned()) }
}

fn test(manifest: &str, arguments: &[String], counts: &mut Counts) -> Result<bool, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut child = std::process::Command::new(cargo)
        .args(["test", "--locked", "--workspace", "--no-fail-fast", "--quiet", "--manifest-path"])
        .arg(crate::root().join(manifest))
        .arg("--target-dir")
        .arg(crate::product::target())
        .args(arguments)
        .args(["--", "--show-output"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    counts.read(child.stdout.take().ok_or("cargo has no output")?, |_| false)?;
    let status = child.wait().map_err(|error| format!("cargo was lost: {error}"))?;
    Ok(status.success())
}

impl Counts {
    /// Reads all that a runner says, with `--show-output`, and prints what is worth showing: what failed, and what is `wanted`.
    pub fn read(&mut self, out: impl std::io::Read, wanted: impl Fn(&str) -> bool) -> Result<(), String> {
        for line in BufReader::new(out).split(b'\n') {
            let line = line.map_err(|error| format!("cannot read the tests' output: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            if self.line(&line) || wanted(&line) {
                println!("{line}");
            }
        }
        Ok(())
    }

    /// Whether nothing failed.
    pub fn is_well(&self) -> bool {
        self.failed == 0
    }

    /// Why tests were skipped, which failed, and a line that counts.
    pub fn summary(&self) -> String {
        let reasons = self.skipped.iter().cloned();
        let failures = self.failures.iter().map(|failure| format!("failed: {failure}"));
        let passed = self.passed.saturating_sub(self.skips);
        let count = format!("{passed} passed, {} failed, {} skipped", self.failed, self.skips + self.ignored);
        reasons.chain(failures).chain([count]).collect::<Vec<_>>().join("\n")
    }

    /// Counts what was skipped before, a line each.
    fn left_out(&mut self, told: &str) {
        for line in told.lines().filter(|line| !line.trim().is_empty()) {
            self.skipped.insert(format!("skipped: {line}"));
            self.ignored += 1;
        }
    }

    /// Reads a line; true when it is worth showing.
    fn line(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.section = Section::Successes,
            "failures:" => self.section = Section::Failures,
            _ => {}
        }
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.section = Section::Progress;
            self.passed += number(rest, "passed");
            self.failed += number(rest, "failed");
            self.ignored += number(rest, "ignored");
            return false;
        }
        if line.starts_with("---- ") {
            self.told_skip = false;
        }
        if self.section == Section::Successes && line.starts_with("skipped: ") {
            self.skips += usize::from(!std::mem::replace(&mut self.told_skip, true));
            self.skipped.insert(line.to_owned());
        }
        if self.section != Section::Failures {
            return false;
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.failures.insert(name.to_owned());
        }
        true
    }
}

/// The number before a word in `ok. 3 passed; 0 failed; ...`.
fn number(line: &str, word: &str) -> usize {
    line.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_results_and_skips_and_shows_what_failed() {
        let told = "running 4 tests\n.F..\nsuccesses:\n\n---- one::well stdout ----\nskipped: not root\nskipped: not root\n\n\n\
            successes:\n    one::well\n\nfailures:\n\n---- two::bad stdout ----\nskipped: no\nassertion failed\n\n\nfailures:\n    two::bad\n\n\
            test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s\nrunning 1 test\n";
        let mut counts = Counts::default();
        let shown: Vec<&str> = told.lines().filter(|line| counts.line(line)).collect();
        assert_eq!((counts.passed, counts.failed, counts.ignored, counts.skips), (12, 1, 2, 1));
        assert_eq!(counts.skipped.len(), 1);
        counts.left_out("machine: no emulator\n\n");
        assert_eq!(counts.summary(), "skipped: machine: no emulator\nskipped: not root\nfailed: two::bad\n11 passed, 1 failed, 4 skipped");
        assert_eq!(counts.failures.iter().collect::<Vec<_>>(), ["two::bad"]);
        assert!(
            shown.contains(&"assertion failed") && !shown.contains(&"    one::well") && !shown.contains(&"running 1 test"),
            "{shown:?}"
        );
    }
}
