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
    for finding in &others {
        running.finding(finding);
    }
    if !stopping.is_empty() {
        let problem = Problem::new(ProblemKind::Work, format!("lint: {}", summary(&stopping, files.len())));
        return Err(problem.with_findings(stopping).hint("`wharf explain RULE` says why, and how to mend it"));
    }
    let verdict = if others.is_empty() { Verdict::Done } else { Verdict::Warned };
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    Ok(Done { verdict, ..Done::new(summary(&findings, files.len())).with(detail(&names, &findings)) })
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
