//! The gate of a scan as settings and flags say it, what an earlier report or release had, and a report judged by it.

use crate::context::Context;
use crate::settings::{GateMode, ScanGate, UnjudgedMode, VulnerabilitySeverity, end_of_day};
use ::delivery::{Copies, Listed, Record};
use base::{Problem, ProblemKind};
use scanner::baseline::Baseline;
use scanner::gate::{Gate, Ignore, Mode, Unjudged};
use scanner::matching::{Report, Vulnerability};
use scanner::severity::Level;
use scanner::{Target, TargetKind};
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
    // By its number, from 1: a digest is as long as all the rest.
    let layer = |found: &Vulnerability| {
        let id = found.package.layer.as_ref()?;
        report.target.layers.iter().position(|layer| layer == id).map(|at| at + 1)
    };
    let found: Vec<Value> = report
        .vulnerabilities
        .iter()
        .take(MOST_KEPT)
        .map(|found| {
            json!({"id": found.id, "aliases": found.aliases, "upstream": found.upstream, "ecosystem": found.package.ecosystem, "package": found.package.package,
                "version": found.package.version, "fixed": found.fixed, "severity": found.severity.level, "status": found.status,
                "file": found.package.file, "layer": layer(found)})
        })
        .collect();
    json!({"image": report.target.id, "packages": report.packages, "vulnerabilities": found,
        "left_out": report.vulnerabilities.len().saturating_sub(MOST_KEPT),
        "unjudged_packages": report.unjudged_packages, "unjudged": report.gaps().take(MOST_UNJUDGED).collect::<Vec<_>>()})
}

/// This machine's record of a release: of the environment that is worked on, else of any other.
fn released(context: &Context, project: &str, id: &str) -> Result<Option<Record>, Problem> {
    let known = Copies::list(&context.home)?;
    let has = |one: &&Listed| one.project == project && one.ids.iter().any(|known| known == id);
    let found = known.iter().filter(has).min_by_key(|one| one.environment != context.globals.env);
    found.map_or(Ok(None), |one| Copies::new(&context.home, &one.environment).record(project, id))
}

/// What was there before: a file of `wharf scan --json`, or a release of the project whose record lies in this home. Of a release only the
/// image counts that the target is, with its name in the project where that is known.
///
/// # Errors
/// When it is neither, cannot be read, or does not say all that was there.
pub fn baseline(context: &Context, named: &str, project: Option<&str>, target: (&Target, Option<&str>)) -> Result<Baseline, Problem> {
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
    let record = project.map(|project| released(context, project, named)).transpose()?.flatten().ok_or_else(missing)?;
    of_record(&json!(record), named, target)
}

fn of_record(record: &Value, named: &str, (target, name): (&Target, Option<&str>)) -> Result<Baseline, Problem> {
    let wrong = |why: String| {
        Problem::new(ProblemKind::Usage, why).hint("`wharf scan --format json TARGET > FILE` writes a baseline that has all of one target")
    };
    let images = record["notes"]["stages"]["scan"]["detail"]["images"].as_object();
    let images = images.ok_or_else(|| wrong(format!("the record of the release `{named}` has no scan")))?;
    let is_it = |image: &&Value| target.id.is_some() && image["image"].as_str() == target.id.as_deref();
    let chosen: Vec<&Value> = match name {
        _ if target.kind != TargetKind::Image => images.values().collect(),
        // An image that the release had not is new as a whole.
        Some(name) => images.get(name).into_iter().collect(),
        None if images.len() == 1 => images.values().collect(),
        None => vec![images.values().find(is_it).ok_or_else(|| {
            let names: Vec<&str> = images.keys().map(String::as_str).collect();
            wrong(format!("the release `{named}` has the images {}, and which of them `{}` is is not known", names.join(", "), target.name))
        })?],
    };
    if let Some(left) = chosen.iter().filter_map(|image| image["left_out"].as_u64()).find(|left| *left > 0) {
        return Err(wrong(format!(
            "the record of the release `{named}` keeps {MOST_KEPT} findings of an image, and {left} more were there"
        )));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = chosen.into_iter().filter_map(|image| image["vulnerabilities"].as_array()).flatten();
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

    #[test]
    fn a_release_is_a_baseline_by_image_and_only_where_it_says_all() {
        let found = |id: &str| json!({"id": id, "aliases": [], "ecosystem": "npm", "package": "a"});
        let image = |id: &str, found: Value, left: u64| json!({"image": id, "vulnerabilities": [found], "left_out": left});
        let images = json!({"web": image("sha256:1", found("GHSA-1"), 0), "db": image("sha256:2", found("GHSA-2"), 600)});
        let record = json!({"notes": {"stages": {"scan": {"detail": {"images": images}}}}});
        let target = |kind, id: Option<&str>| Target { kind, name: "t".to_owned(), id: id.map(str::to_owned), layers: Vec::new() };
        let of = |kind, id, name| of_record(&record, "r1", (&target(kind, id), name)).map_err(|problem| problem.message);
        let only = |id: &str| Ok(Baseline::of_keys([(id.to_owned(), "npm".to_owned(), "a".to_owned())]));
        // What web had is no excuse for another image, and one that is new had nothing.
        assert_eq!(of(TargetKind::Image, Some("sha256:9"), Some("web")), only("GHSA-1"));
        assert_eq!(of(TargetKind::Image, Some("sha256:1"), None), only("GHSA-1"));
        assert_eq!(of(TargetKind::Image, Some("sha256:9"), Some("jobs")), Ok(Baseline::default()));
        assert!(of(TargetKind::Image, Some("sha256:9"), None).expect_err("which").contains("has the images db, web"));
        for (kind, name) in [(TargetKind::Image, Some("db")), (TargetKind::Folder, None)] {
            assert!(of(kind, None, name).expect_err("not all").contains("keeps 400 findings of an image, and 600 more were there"));
        }
    }

    #[test]
    fn what_is_kept_of_a_report_says_where_each_package_is() {
        let found = json!({"id": "DSA-1", "severity": {"level": "high"}, "status": "fixed", "fixed": "2", "ecosystem": "Debian:12", "package": "a",
            "version": "1", "file": "var/lib/dpkg/status", "layer": "sha256:b"});
        let report: Report = serde_json::from_value(json!({"target": {"kind": "image", "name": "web", "id": "sha256:1", "layers": ["sha256:a", "sha256:b"]},
            "at": 0, "packages": 3, "vulnerabilities": vec![found; MOST_KEPT + 2], "advisories": {"sequence": 1, "created": 0, "fresh_until": 0}}))
        .expect("a report");
        let kept = kept(&report);
        assert_eq!((&kept["image"], &kept["packages"], &kept["left_out"]), (&json!("sha256:1"), &json!(3), &json!(2)));
        let expected = json!({"id": "DSA-1", "aliases": [], "upstream": [], "ecosystem": "Debian:12", "package": "a", "version": "1", "fixed": "2",
            "severity": "high", "status": "fixed", "file": "var/lib/dpkg/status", "layer": 2});
        assert_eq!(kept["vulnerabilities"][0], expected);
    }
}
