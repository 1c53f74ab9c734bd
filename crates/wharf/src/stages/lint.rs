//! Lint: the Dockerfiles of the project's images.

use super::{Done, Run, Stage};
use crate::lint::{Source, lint, sources, summary};
use crate::output::{Running, Verdict};
use crate::settings::Threshold;
use base::{Finding, Problem, ProblemKind, Severity};
use serde_json::{Value, json};
use std::path::PathBuf;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "lint",
    on_demand: false,
    needs_cluster: false,
    applies: super::always,
    judges_release: false,
    interrupted: "nothing was changed; run this again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let project = &run.project;
    let mut paths: Vec<PathBuf> = project.settings().images.values().map(|image| project.folder.join(image.dockerfile_path())).collect();
    paths.sort();
    paths.dedup();
    let mut files = sources(&paths)?;
    for file in &mut files {
        name(file, &project.folder);
    }
    let findings = lint(&files, &linter::Options::default());
    let threshold = match project.settings().gates.lint {
        Threshold::Error => Some(Severity::Error),
        Threshold::Warning => Some(Severity::Warning),
        Threshold::Info => Some(Severity::Info),
        Threshold::Style => Some(Severity::Style),
        Threshold::None => None,
    };
    let (stopping, others): (Vec<Finding>, Vec<Finding>) =
        findings.iter().cloned().partition(|finding| threshold.is_some_and(|threshold| linter::reaches(finding, threshold)));
    let shown = |finding: &Finding| with_lines(finding, &files);
    for finding in &others {
        // People get the lines of what stops them; who watches by program can fold the others.
        if run.context.output.is_json() { running.finding(&shown(finding)) } else { running.finding(finding) }
    }
    let stopping: Vec<Finding> = stopping.iter().map(shown).collect();
    if !stopping.is_empty() {
        let problem = Problem::new(ProblemKind::Work, format!("lint: {}", summary(&stopping, files.len())));
        return Err(problem.with_findings(stopping).hint("`wharf explain RULE` says why, and how to mend it"));
    }
    let verdict = if others.is_empty() { Verdict::Done } else { Verdict::Warned };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    Ok(Done { verdict, ..Done::new(summary(&findings, files.len())).with(detail(&names, &findings)) })
}

/// The finding with the line that it points at, and those around it.
fn with_lines(finding: &Finding, files: &[Source]) -> Finding {
    const AROUND: usize = 2;
    let mut finding = finding.clone();
    let file = files.iter().find(|file| Some(&file.name) == finding.place.file.as_ref());
    if let (Some(file), Some(line)) = (file, finding.place.line.and_then(|line| usize::try_from(line).ok())) {
        let first = line.saturating_sub(AROUND).max(1);
        let lines = file.text.lines().enumerate().map(|(index, text)| (index + 1, text)).skip(first - 1).take(line + AROUND + 1 - first);
        finding.evidence =
            lines.map(|(number, text)| format!("{}{number:>4} | {}", if number == line { ">" } else { " " }, start(text))).collect();
    }
    finding
}

/// As much of a line as people read.
fn start(line: &str) -> String {
    const SHOWN: usize = 200;
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// Every finding for the release's record, but for evidence, which is the source's own text.
fn detail(files: &[&str], findings: &[Finding]) -> Value {
    const MOST: usize = 500;
    let kept: Vec<Value> = findings
        .iter()
        .take(MOST)
        .map(|finding| json!({"rule": finding.rule, "severity": finding.severity, "place": finding.place, "message": finding.message}))
        .collect();
    json!({"files": files, "findings": kept, "left_out": findings.len().saturating_sub(MOST)})
}

/// Shown as the user would name it, from the project's folder.
fn name(file: &mut Source, folder: &std::path::Path) {
    if let Some(short) = file.path.as_ref().and_then(|path| path.strip_prefix(folder).ok()) {
        file.name = short.display().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_the_lines_around_it() {
        let text = "FROM a:1\nRUN b\nMAINTAINER c\nRUN d\n".to_owned();
        let files = [Source { name: "Dockerfile".to_owned(), path: None, text }];
        let at = |line| with_lines(&Finding::new("X", Severity::Error, base::Place::in_file("Dockerfile", line, 1), "x"), &files).evidence;
        assert_eq!(at(3), ["    1 | FROM a:1", "    2 | RUN b", ">   3 | MAINTAINER c", "    4 | RUN d"]);
        assert_eq!(at(1), [">   1 | FROM a:1", "    2 | RUN b", "    3 | MAINTAINER c"]);
        assert_eq!(at(900), Vec::<String>::new());
    }
}
