//! The gate of a scan as settings and flags say it, what an earlier report or release had, and a report judged by it.

use crate::context::Context;
use crate::settings::{GateMode, ScanGate, UnjudgedMode, VulnerabilitySeverity, end_of_day};
use base::{Problem, ProblemKind};
use scanner::baseline::Baseline;
use scanner::gate::{Gate, Ignore, Mode, Unjudged};
use scanner::matching::Report;
use scanner::severity::Level;
use serde_json::{Value, json};
use std::path::Path;

/// A release's record keeps so many findings of an image.
const MOST_KEPT: usize = 400;
/// And so much of what could not be judged.
const MOST_UNJUDGED: usize = 100;

/// The gate that settings describe; without any, findings are reported only.
pub fn of(settings: Option<&ScanGate>) -> Gate {
    let Some(gate) = settings else {
        return Gate {
            mode: Mode::ReportOnly,
            unjudged: Unjudged::Fail,
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
    let unjudged = match gate.unjudged {
        UnjudgedMode::Fail => Unjudged::Fail,
        UnjudgedMode::Warn => Unjudged::Warn,
    };
    Gate {
        mode,
        unjudged,
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

/// How many findings count, in words; none where none does.
pub fn found(count: usize, fail_on: Option<Level>) -> Option<String> {
    let least = fail_on.map_or("none", Level::name);
    match count {
        0 => None,
        1 => Some(format!("1 finding is {least} or worse")),
        count => Some(format!("{count} findings are {least} or worse")),
    }
}

/// The same of what could not be judged.
pub fn blind(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 thing could not be judged".to_owned()),
        count => Some(format!("{count} things could not be judged")),
    }
}

/// What to do where a gate stops, for findings that count and for what could not be judged.
pub fn hinted(problem: Problem, found: bool, blind: bool) -> Problem {
    let problem = if found {
        problem.hint("update the packages, or write an `ignore` with reason and date into `gates.scan` of wharf.yaml")
    } else {
        problem
    };
    if blind {
        problem.hint("mend the files and update the advisories, or allow it by `gates: { scan: { unjudged: warn } }` in wharf.yaml or `wharf scan --unjudged warn`")
    } else {
        problem
    }
}

/// What a release's record keeps of a report; [`baseline`] reads it again.
pub fn kept(report: &Report) -> Value {
    let found: Vec<Value> = report
        .vulnerabilities
        .iter()
        .take(MOST_KEPT)
        .map(|found| {
            json!({"id": found.id, "aliases": found.aliases, "upstream": found.upstream, "ecosystem": found.package.ecosystem, "package": found.package.package,
                "version": found.package.version, "fixed": found.fixed, "severity": found.severity.level, "status": found.status})
        })
        .collect();
    json!({"image": report.target.id, "packages": report.packages, "vulnerabilities": found,
        "left_out": report.vulnerabilities.len().saturating_sub(MOST_KEPT),
        "unjudged_packages": report.unjudged_packages, "unjudged": report.gaps().take(MOST_UNJUDGED).collect::<Vec<_>>()})
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
        let more = ["aliases", "upstream"].into_iter().filter_map(|name| found[name].as_array()).flatten();
        let ids = std::iter::once(&found["id"]).chain(more);
        ids.map(|id| (text(id), text(&found["ecosystem"]), text(&found["package"]))).collect::<Vec<_>>()
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(unjudged: &Value) -> Report {
        serde_json::from_value(
            json!({"target": {"kind": "image", "name": "web", "id": "sha256:1"}, "at": 0, "packages": 3, "unjudged_packages": 2,
            "advisories": {"sequence": 1, "created": 0, "fresh_until": 0}, "vulnerabilities": [], "unjudged": unjudged}),
        )
        .expect("a report")
    }

    #[test]
    fn a_record_keeps_what_could_not_be_judged() {
        let told = |severity: &str, message: &str| json!({"rule": "unjudged", "severity": severity, "place": {}, "message": message});
        let kept = kept(&report(&json!([told("warning", "the index knows nothing of Debian:13"), told("info", "x was not judged")])));
        assert_eq!((&kept["packages"], &kept["unjudged_packages"]), (&Value::from(3), &Value::from(2)));
        let [gap] = kept["unjudged"].as_array().expect("a list").as_slice() else { panic!("{kept}") };
        assert_eq!(gap["message"], "the index knows nothing of Debian:13");
    }

    #[test]
    fn the_settings_say_what_it_does_that_something_could_not_be_judged() {
        assert_eq!(of(Some(&ScanGate::default())).unjudged, Unjudged::Fail);
        let allowed = ScanGate { unjudged: UnjudgedMode::Warn, ..ScanGate::default() };
        assert_eq!(of(Some(&allowed)).unjudged, Unjudged::Warn);
        assert_eq!(of(Some(&ScanGate::default())).mode, Mode::Fail);
    }
}
