//! `xtask test`: all tests of the workspace, with one line at the end that counts those skipped, too.

use crate::Command;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// See the module.
pub const COMMAND: Command = Command { name: "test", about: "runs every test and counts passed, failed and skipped", run };

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    skipped: BTreeSet<String>,
    skips: usize,
    failures: Vec<String>,
}

fn run(arguments: &[String]) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut child = std::process::Command::new(cargo)
        .args(["test", "--locked", "--workspace", "--no-fail-fast", "--quiet"])
        .args(arguments)
        .args(["--", "--show-output"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let mut counts = Counts::default();
    let out = child.stdout.take().ok_or("cargo has no output")?;
    for line in BufReader::new(out).split(b'\n') {
        let line = line.map_err(|error| format!("cannot read cargo's output: {error}"))?;
        counts.line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().map_err(|error| format!("cargo was lost: {error}"))?;
    for reason in &counts.skipped {
        println!("{reason}");
    }
    for failure in &counts.failures {
        println!("failed: {failure}");
    }
    let skipped = counts.skips + counts.ignored;
    println!("{} passed, {} failed, {skipped} skipped", counts.passed.saturating_sub(counts.skips), counts.failed);
    if status.success() && counts.failed == 0 { Ok(()) } else { Err("tests failed, or did not build".to_owned()) }
}

impl Counts {
    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number(rest, "passed");
            self.failed += number(rest, "failed");
            self.ignored += number(rest, "ignored");
            return;
        }
        if line.starts_with("skipped: ") {
            self.skips += 1;
            self.skipped.insert(line.to_owned());
            return;
        }
        let failure = line.strip_prefix("    ").filter(|name| !name.contains(' ') && name.contains("::"));
        if let Some(name) = failure.filter(|name| !self.failures.iter().any(|known| known == name)) {
            self.failures.push(name.to_owned());
        }
        if is_worth_showing(line) {
            println!("{line}");
        }
    }
}

/// Output of tests that passed is only read for what was skipped.
fn is_worth_showing(line: &str) -> bool {
    ["panicked at", "error", "assertion", "  left:", " right:", "---- "].iter().any(|part| line.contains(part)) && !line.ends_with(" ok")
}

/// The number before a word in `ok. 3 passed; 0 failed; ...`.
fn number(line: &str, word: &str) -> usize {
    line.split([';', '.']).find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_results_and_skips() {
        let mut counts = Counts::default();
        counts.line("test result: ok. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s");
        counts.line("skipped: not root");
        counts.line("skipped: not root");
        assert_eq!((counts.passed, counts.failed, counts.ignored, counts.skips), (12, 1, 2, 2));
        assert_eq!(counts.skipped.len(), 1);
    }
}
