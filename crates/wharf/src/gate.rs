//! The gate of a scan as settings and flags say it, what an earlier report or release had, and a report judged by it.

use crate::context::Context;
use crate::settings::{GateMode, ScanGate, VulnerabilitySeverity, end_of_day};
use base::{Problem, ProblemKind};
use scanner::baseline::Baseline;
use scanner::gate::{Gate, Ignore, Mode};
use scanner::matching::Report;
use scanner::severity::Level;
use serde_json::{Value, json};
use std::path::Path;

/// A release's record keeps so many findings of an image.
const MOST_KEPT: usize = 400;

/// The gate that settings describe; without any, findings are reported only.
pub fn of(settings: Option<&ScanGate>) -> Gate {
    let Some(gate) = settings else {
        return Gate {
            mode: Mode::ReportOnly,
            fail_on: Some(Level::High),
            only_fixable: true,
            advisories_at_most: None,
            ignores: Vec::new(),
        };
    };
    let mode = match gate.mode {
        GateMode::Fail => Mode::Fail,
        GateMode::Warn => Mode::Warn,
        GateMode::ReportOnly => Mode::ReportOnly,
    };
    let ignores = gate.ignore.iter().map(|ignored| Ignore {
        id: ignored.id.clone(),
        package: ignored.package.clone(),
        reason: ignored.reason.clone(),
        until: end_of_day(&ignored.until),
    });
    Gate {
        mode,
        fail_on: level(gate.fail_on),
        only_fixable: gate.only_fixable,
        advisories_at_most: gate.advisories_at_most,
        ignores: ignores.collect(),
    }
}

const fn level(severity: VulnerabilitySeverity) -> Option<Level> {
    match severity {
        VulnerabilitySeverity::Low => Some(Level::Low),
        VulnerabilitySeverity::Medium => Some(Level::Medium),
        VulnerabilitySeverity::High => Some(Level::High),
        VulnerabilitySeverity::Critical => Some(Level::Critical),
        VulnerabilitySeverity::None => None,
    }
}

/// What a release's record keeps of a report; [`baseline`] reads it again.
pub fn kept(report: &Report) -> Value {
    let found: Vec<Value> = report
        .vulnerabilities
        .iter()
        .take(MOST_KEPT)
        .map(|found| {
            json!({"id": found.id, "aliases": found.aliases, "ecosystem": found.package.ecosystem, "package": found.package.package,
                "version": found.package.version, "fixed": found.fixed, "severity": found.severity.level, "status": found.status})
        })
        .collect();
    json!({"image": report.target.id, "packages": report.packages, "vulnerabilities": found,
        "left_out": report.vulnerabilities.len().saturating_sub(MOST_KEPT)})
}

/// What was there before: a file of `wharf scan --json`, or a release of the project whose record lies in this home.
///
/// # Errors
/// When it is neither, or cannot be read.
pub fn baseline(context: &Context, named: &str, project: Option<&str>) -> Result<Baseline, Problem> {
    const LARGEST: usize = 256 << 20;
    let path = Path::new(named);
    if path.is_file() {
        let bytes = base::files::read_up_to(path, LARGEST).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
        return Baseline::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|why| Problem::new(ProblemKind::Usage, format!("`{named}`: {why}")));
    }
    let missing = || {
        Problem::new(ProblemKind::Usage, format!("`{named}` is no file and no release whose record is on this machine"))
            .hint("`wharf scan --format json TARGET > FILE` writes a baseline, `wharf history` lists the releases")
    };
    let record: Option<Value> = project.map(|project| ::delivery::read_home(&context.home, project, named)).transpose()?.flatten();
    let record = record.ok_or_else(missing)?;
    let images = record["notes"]["stages"]["scan"]["detail"]["images"].as_object();
    let images = images.ok_or_else(|| Problem::new(ProblemKind::Usage, format!("the record of the release `{named}` has no scan")))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = images.values().filter_map(|image| image["vulnerabilities"].as_array()).flatten();
    Ok(Baseline::of_keys(found.flat_map(|found| {
        let ids = std::iter::once(&found["id"]).chain(found["aliases"].as_array().into_iter().flatten());
        ids.map(|id| (text(id), text(&found["ecosystem"]), text(&found["package"]))).collect::<Vec<_>>()
    })))
}
