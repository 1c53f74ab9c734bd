//! Scan: what is known against the packages of the images that were built.

use super::{Done, Run, Stage};
use crate::commands::image;
use crate::output::{Running, Verdict};
use crate::{advisories, bases, gate, scan};
use base::{Clock, Finding, Problem, ProblemKind, Severity, SystemClock};
use scanner::Inventory;
use scanner::advisories::index::Index;
use scanner::gate::{Judged, Mode, finding, judge};
use scanner::matching::{Options, Report, scan as matched};
use scanner::reports::not_judged;
use scanner::severity::Level;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub const STAGE: Stage = Stage {
    name: "scan",
    on_demand: false,
    needs_cluster: false,
    applies: |run| !run.project.settings().images.is_empty(),
    judges_release: false,
    interrupted: "nothing was deployed; run this again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let inventories = inventories(run)?;
    let packages: usize = inventories.values().map(|inventory| inventory.packages.len()).sum();
    let settings = run.project.settings();
    let gate = gate::of(settings.gates.scan.as_ref());
    let Some(index) = advisories::open(&run.context.home, &settings.advisories.keys)? else {
        // Who asked for a gate does not go on without one.
        if settings.gates.scan.is_some() && gate.mode == Mode::Fail {
            return advisories::needed(&run.context.home, &settings.advisories.keys).map(|_| Done::new(""));
        }
        let none = "no advisories: `wharf advisories update` fetches them";
        let done = Done::new(format!("{packages} packages, not judged: {none}"));
        if gate.mode == Mode::Warn {
            running.finding(&of_gate(&format!("nothing was judged: {none}")));
            return Ok(Done { verdict: Verdict::Warned, ..done });
        }
        return Ok(done);
    };
    let options = Options { development: settings.gates.scan.as_ref().is_some_and(|gate| gate.development) };
    let now = SystemClock.now();
    let mut judged: BTreeMap<&str, (Report, Judged)> = BTreeMap::new();
    for (name, inventory) in &inventories {
        let report = matched(inventory, &index, &options, now).map_err(advisories::problem)?;
        let one = judge(&report, &gate, now);
        judged.insert(name, (report, one));
    }
    let advice = advise(run, &index)?;
    let detail = detail(&index, &judged, &advice);
    running.detail(&detail);
    let counted: Vec<Finding> =
        judged.iter().flat_map(|(name, (_, one))| one.counted.iter().map(|found| of_image(name, finding(found)))).collect();
    let stale = judged.values().find_map(|(_, one)| one.stale.clone());
    let summary = summary(&judged);
    advice.iter().for_each(|found| running.finding(found));
    let over: BTreeSet<String> = judged.values().flat_map(|(_, one)| one.expired_told()).collect();
    over.iter().for_each(|why| running.finding(&of_gate(why)));
    if judged.values().any(|(_, one)| one.stops(gate.mode)) {
        let unjudged = judged.iter().flat_map(|(name, (_, one))| one.unjudged.iter().map(|found| of_image(name, found.clone())));
        return Err(stopped(stale, counted, unjudged.collect(), gate.fail_on, &summary));
    }
    let gaps: Vec<Finding> = judged.iter().flat_map(|(name, (report, _))| report.gaps().map(|told| of_image(name, told.clone()))).collect();
    let stale_told = stale.as_deref().map(of_gate);
    let warns = gate.mode == Mode::Warn && !(counted.is_empty() && gaps.is_empty() && over.is_empty() && stale.is_none());
    // What is only reported is no warning, but named as well.
    let heaviest = if gate.mode == Mode::Warn { Severity::Error } else { Severity::Info };
    let counted: Vec<Finding> = counted.into_iter().map(|found| Finding { severity: found.severity.max(heaviest), ..found }).collect();
    running.findings(&counted, "`wharf scan` lists them");
    stale_told.iter().chain(&gaps).for_each(|found| running.finding(found));
    let summary = stale.map_or_else(|| summary.clone(), |stale| format!("{summary}; {stale}"));
    let done = Done::new(summary).with(detail);
    Ok(if warns { Done { verdict: Verdict::Warned, ..done } } else { done })
}

/// Of the gate itself: no package is to blame.
fn of_gate(why: &str) -> Finding {
    Finding::new("scan/gate", Severity::Warning, base::Place::default(), why)
}

fn inventories(run: &Run) -> Result<BTreeMap<String, Inventory>, Problem> {
    if let Some(name) = run.project.settings().images.keys().find(|name| !run.image_ids.contains_key(*name)) {
        return Err(Problem::new(ProblemKind::Defect, format!("image `{name}` was not built before the scan")));
    }
    let store = image::open(&run.context)?;
    let one = |(name, id): (&String, &String)| {
        let found = store.images().resolve(id).map_err(image::problem)?;
        Ok((name.clone(), scan::inventory_of_image(&store, &found, name)?))
    };
    run.image_ids.iter().map(one).collect()
}

/// Advice on the bases of the project's images.
fn advise(run: &Run, index: &Index) -> Result<Vec<Finding>, Problem> {
    let settings = run.project.settings();
    let mut advice = Vec::new();
    for image in settings.images.values() {
        let name = image.dockerfile_path();
        let Ok(bytes) = base::files::read(&run.project.folder.join(&name)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let advised = bases::look(&run.context, index, (&name, &text, image.target.as_deref()), &settings.advisories.bases)?;
        advice.extend(advised.as_ref().and_then(bases::Advised::finding).filter(|found| !advice.contains(found)));
    }
    Ok(advice)
}

/// A place in an image is told with the image's name before it.
fn of_image(name: &str, mut found: Finding) -> Finding {
    found.place.file = Some(found.place.file.map_or_else(|| name.to_owned(), |file| format!("{name}:/{file}")));
    found
}

fn summary(judged: &BTreeMap<&str, (Report, Judged)>) -> String {
    let reports = || judged.values();
    let packages: usize = reports().map(|(report, _)| report.packages).sum();
    let count =
        |level: Level| reports().flat_map(|(report, _)| &report.vulnerabilities).filter(|found| found.severity.level == level).count();
    let levels: Vec<String> =
        Level::ALL.into_iter().filter(|level| count(*level) > 0).map(|level| format!("{} {level}", count(level))).collect();
    let ignored: usize = reports().map(|(_, one)| one.ignored.len()).sum();
    let ignored = if ignored > 0 { format!(", {ignored} ignored") } else { String::new() };
    let found = if levels.is_empty() { "nothing known against them".to_owned() } else { levels.join(", ") };
    format!("{packages} packages, {found}{ignored}{}", not_judged(reports().map(|(report, _)| report)))
}

fn stopped(stale: Option<String>, counted: Vec<Finding>, unjudged: Vec<Finding>, fail_on: Option<Level>, summary: &str) -> Problem {
    let (found, blind) = (gate::found(counted.len(), fail_on), gate::blind(unjudged.len()));
    let findings = counted.into_iter().chain(unjudged).collect();
    if let Some(stale) = stale {
        return Problem::new(ProblemKind::Work, format!("scan: {stale}"))
            .hint("`wharf advisories update` fetches newer ones")
            .with_findings(findings);
    }
    let why: Vec<String> = found.iter().chain(&blind).cloned().collect();
    let problem = Problem::new(ProblemKind::Work, format!("scan: {} ({summary})", why.join(", and "))).with_findings(findings);
    gate::hinted(problem, found.is_some(), blind.is_some())
}

/// For the release's record, and for programs that watch.
fn detail(index: &Index, judged: &BTreeMap<&str, (Report, Judged)>, advice: &[Finding]) -> Value {
    let images: serde_json::Map<String, Value> = judged
        .iter()
        .map(|(name, (report, one))| {
            let mut kept = gate::kept(report);
            kept["ignored"] = json!(
                one.ignored.iter().map(|ignored| json!({"id": ignored.vulnerability.id, "package": ignored.vulnerability.package.package, "reason": ignored.by.reason})).collect::<Vec<_>>()
            );
            ((*name).to_owned(), kept)
        })
        .collect();
    json!({"advisories": index.head(), "images": images, "bases": advice})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        serde_json::from_value(json!({"target": {"kind": "image", "name": "web"}, "at": 0, "packages": 1, "unjudged_packages": 2,
            "advisories": {"sequence": 1, "created": 0, "fresh_until": 0}, "vulnerabilities": [],
            "unjudged": [{"rule": "unjudged", "severity": "warning", "place": {}, "message": "the index knows nothing of Debian:13"}]}))
        .expect("a report")
    }

    #[test]
    fn what_could_not_be_judged_is_in_the_summary_and_in_what_stops() {
        let gate = gate::of(Some(&crate::settings::ScanGate::default()));
        let report = report();
        let one = judge(&report, &gate, report.advisories.created);
        assert!(one.stops(gate.mode));
        let unjudged: Vec<Finding> = one.unjudged.iter().map(|told| of_image("web", told.clone())).collect();
        let judged = BTreeMap::from([("web", (report, one))]);
        let summary = summary(&judged);
        assert_eq!(summary, "1 packages, nothing known against them, 2 packages not judged");
        let problem = stopped(None, Vec::new(), unjudged, gate.fail_on, &summary);
        assert_eq!(problem.message, format!("scan: 1 thing could not be judged ({summary})"));
        assert_eq!(problem.findings[0].place.to_string(), "web");
        assert!(problem.hints[0].contains("unjudged: warn"), "{:?}", problem.hints);
    }
}
