//! Kubernetes's own conformance suite against the engine, held against what it passed before.

mod report;

use super::Long;
use report::{Outcome, Report};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const TEST: Long = Long {
    name: "conformance",
    usage: "FOLDER [--wharf FILE] [--short] [OPTION..]",
    about: "Kubernetes's conformance suite, built once into FOLDER by the workbench's kubernetes/build.sh FOLDER --conformance, against\n\
        an engine with a home and a network of its own (needs root). A spec that CONFORMANCE.md lists as passing and that fails, also\n\
        when it is run once more by itself, is an error. A run of all specs writes CONFORMANCE.md anew. --short: those of a few\n\
        minutes that CI runs. --wharf: the program, otherwise built as it ships. OPTION: as kubernetes/conformance.sh takes them,\n\
        such as --focus; about half an hour without.\n\
        What failed and why is left in conformance/ of cargo's target folder",
    run,
};

const BOOK: &str = "CONFORMANCE.md";
/// Specs of most rooms that need seconds each.
const SHORT: &str = r"ConfigMap|Secrets |ReplicaSet|Downward API|Docker Containers|Variable Expansion|EmptyDir|Lease|ResourceQuota.*(configMap|secret|pod)\.|DNS.*(cluster|Services)|Watchers";
/// Of one spec; three times that of a `[Slow]` one.
/// Some watch a pod for four minutes.
const LIMIT: &str = "300s";

/// Brings an engine up in namespaces of its own and calls the suite there; its arguments: the program, the suite's folder, the folder
/// of this run, the suite's script and its arguments.
const SCRIPT: &str = r#"
set -eu
wharf=$1 suite=$2 run=$3; shift 3
export WHARF_HOME=$run/home
ip link set lo up
trap '"$wharf" engine stop --quiet; "$wharf" engine reset --yes --quiet' EXIT
"$wharf" engine start
"$wharf" engine kubeconfig >"$run/kubeconfig"
"$wharf" image load --quiet "$suite/images/conformance.tar"
"$wharf" image load --quiet "$suite/images/system.tar"
"$@"
"#;

fn run(arguments: &[String]) -> Result<(), String> {
    let asked = Asked::read(arguments)?;
    let wharf = asked.wharf.clone().map_or_else(crate::product::built, Ok)?;
    let book = crate::root().join(BOOK);
    let before = std::fs::read_to_string(&book).unwrap_or_default();
    let run = Run { wharf, suite: asked.suite, folder: std::env::temp_dir().join(format!("wharf-conformance-{}", std::process::id())) };
    std::fs::create_dir_all(&run.folder).map_err(|error| format!("cannot make {}: {error}", run.folder.display()))?;
    let judged = judge(&run, &asked.options, &before);
    let _ = std::fs::remove_dir_all(&run.folder);
    let now = judged?;
    println!("{} specs passed, {} did not", now.passed().count(), now.failed().count());
    if asked.is_whole {
        std::fs::write(&book, now.render()).map_err(|error| format!("cannot write {}: {error}", book.display()))?;
    }
    Ok(())
}

/// Runs what is asked for, then what was lost once more.
fn judge(run: &Run, options: &[String], before: &str) -> Result<Report, String> {
    let mut now = run.suite(options, "all")?;
    let lost = now.lost(before);
    if lost.is_empty() {
        return Ok(now);
    }
    println!("once more, one at a time: {}", lost.join("; "));
    let focus = lost.iter().map(|name| escaped(name)).collect::<Vec<_>>().join("|");
    let again = run.suite(&["--procs".to_owned(), "1".to_owned(), "--focus".to_owned(), focus], "again")?;
    now.take_over(&again);
    let lost = now.lost(before);
    if lost.is_empty() { Ok(now) } else { Err(format!("passed before and fail now:\n  {}", lost.join("\n  "))) }
}

/// A name as a regular expression that only fits it.
fn escaped(name: &str) -> String {
    name.chars().flat_map(|sign| (!sign.is_ascii_alphanumeric() && sign != ' ').then_some('\\').into_iter().chain([sign])).collect()
}

struct Run {
    wharf: PathBuf,
    suite: PathBuf,
    folder: PathBuf,
}

impl Run {
    fn suite(&self, options: &[String], name: &str) -> Result<Report, String> {
        // They outlive the run, with the suite's log beside them: who mends what failed reads both.
        let kept = crate::product::target().join("conformance");
        std::fs::create_dir_all(&kept).map_err(|error| format!("cannot make {}: {error}", kept.display()))?;
        let results = kept.join(format!("{name}.tsv"));
        let _ = std::fs::remove_file(&results);
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--propagation", "private", "bash", "-c", SCRIPT, "conformance"]);
        command.args([&self.wharf, &self.suite, &self.folder]).arg(super::shared("kubernetes/conformance.sh")?);
        command.arg(&self.suite).arg(self.folder.join("kubeconfig")).arg("--out").arg(&results);
        command.args(["--spec-timeout", LIMIT]).args(options);
        // The suite's own end says that a spec failed; which may fail is told by the book.
        let _ = super::call(&mut command);
        read(&results)
    }
}

fn read(results: &Path) -> Result<Report, String> {
    let text = std::fs::read_to_string(results).map_err(|error| format!("the suite has left no results: {error}"))?;
    let report = Report::read(&text);
    if report.outcomes().any(|outcome| outcome == Outcome::Passed) { Ok(report) } else { Err("no spec passed".to_owned()) }
}

struct Asked {
    suite: PathBuf,
    wharf: Option<PathBuf>,
    options: Vec<String>,
    /// Whether no spec is left out.
    is_whole: bool,
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let usage = || format!("usage: cargo xtask long {} {}", TEST.name, TEST.usage);
        let (suite, rest) = arguments.split_first().filter(|(suite, _)| !suite.starts_with('-')).ok_or_else(usage)?;
        let mut asked = Self { suite: PathBuf::from(suite), wharf: None, options: Vec::new(), is_whole: true };
        let mut rest = rest.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--wharf" => asked.wharf = Some(PathBuf::from(rest.next().ok_or_else(usage)?)),
                "--short" => asked.options.extend(["--focus".to_owned(), SHORT.to_owned()]),
                other => asked.options.push(other.to_owned()),
            }
        }
        asked.is_whole = !["--focus", "--skip", "--serial", "--list"].iter().any(|part| asked.options.iter().any(|option| option == part));
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_of_everything_writes_the_book() {
        let read = |words: &[&str]| Asked::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert!(read(&["folder", "--procs", "2"]).expect("read").is_whole);
        assert!(!read(&["folder", "--short"]).expect("read").is_whole);
        assert!(!read(&["folder", "--focus", "DNS"]).expect("read").is_whole);
        assert!(read(&[]).is_err());
        assert!(read(&["--short"]).is_err());
    }

    #[test]
    fn a_name_is_found_by_itself() {
        assert_eq!(escaped("[sig-apps] a (b) c.d"), r"\[sig\-apps\] a \(b\) c\.d");
    }
}
