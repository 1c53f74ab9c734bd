//! What stops a run: which findings count, which are let through and why, and whether the advisories are young enough to say so.

use crate::matching::{Asked, Report, Vulnerability};
use crate::severity::Level;
use base::{Finding, Place, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a finding that counts does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It stops the run.
    #[default]
    Fail,
    /// It is told and the run goes on.
    Warn,
    /// It is kept and the run goes on.
    ReportOnly,
}

/// What it does that something could not be judged: a file that could not be read, an ecosystem that the index knows nothing of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// It does what a finding that counts does: nothing known of what nobody looked at says nothing.
    #[default]
    Fail,
    /// It is told and the run goes on.
    Warn,
}

/// What counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What a finding that counts does.
    pub mode: Mode,
    /// What it does that something could not be judged.
    pub unjudged: Unjudged,
    /// Findings as bad as this count; none for no finding.
    pub fail_on: Option<Level>,
    /// Only findings that a version mends count.
    pub only_fixable: bool,
    /// The advisories may be this old.
    pub advisories_at_most: Option<Duration>,
    /// What is let through.
    pub ignores: Vec<Ignore>,
}

/// A finding that somebody decided to live with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignore {
    /// Its id, or one of its aliases.
    pub id: String,
    /// Of this package alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why.
    pub reason: String,
    /// Until when; then it counts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Ignore {
    /// Whether it is about this finding, or about one of several that a notice carries on.
    pub fn names(&self, found: &Vulnerability) -> bool {
        (found.is(&self.id) || found.upstream.contains(&self.id)) && self.is_of(found)
    }

    /// Whether it is about this finding's package.
    fn is_of(&self, found: &Vulnerability) -> bool {
        let own =
            |package: &str| package == found.package.package || found.package.source.as_ref().is_some_and(|source| source.name == package);
        self.package.as_deref().is_none_or(own)
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until < now)
    }
}

/// Why the advisories cannot say that nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// They are older than allowed.
    #[error("the advisories are of {created}, {} old, and `advisories-at-most` allows {}", days(*age), days(*at_most))]
    Old {
        /// When they were built.
        created: Timestamp,
        /// Their age.
        age: Duration,
        /// The age that is allowed.
        at_most: Duration,
    },
    /// Their publisher says that they are past their time.
    #[error("the advisories are frozen: they were fresh until {fresh_until}")]
    Frozen {
        /// Until when they were fresh.
        fresh_until: Timestamp,
    },
}

/// A finding that is let through, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LetThrough {
    /// The finding.
    pub vulnerability: Vulnerability,
    /// What says so.
    pub by: Ignore,
}

/// What a gate makes of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Judged {
    /// What counts.
    pub counted: Vec<Vulnerability>,
    /// What does not, for it is not bad enough or nothing mends it.
    pub others: Vec<Vulnerability>,
    /// What is let through.
    pub ignored: Vec<LetThrough>,
    /// Lines that let nothing through any more, for their time is over.
    pub expired: Vec<Ignore>,
    /// Lines that are about nothing that was found.
    pub unused: Vec<Ignore>,
    /// What could not be judged, and counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Finding>,
    /// Why the advisories are too old, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
}

impl Judged {
    /// Whether a run stops here.
    pub fn stops(&self, mode: Mode) -> bool {
        mode == Mode::Fail && (!self.counted.is_empty() || !self.unjudged.is_empty() || self.stale.is_some())
    }

    /// A sentence for each line that lets nothing through any more.
    pub fn expired_told(&self) -> impl Iterator<Item = String> {
        self.expired.iter().map(|ignore| format!("`{}` is ignored no more: its time is over ({})", ignore.id, ignore.reason))
    }
}

/// Whether advisories are young enough.
///
/// # Errors
/// When they are not.
pub fn age(advisories: &Asked, gate: &Gate, now: Timestamp) -> Result<(), Stale> {
    let age = now.since(advisories.created);
    match gate.advisories_at_most {
        Some(at_most) if age > at_most => Err(Stale::Old { created: advisories.created, age, at_most }),
        _ if advisories.fresh_until < now => Err(Stale::Frozen { fresh_until: advisories.fresh_until }),
        _ => Ok(()),
    }
}

/// Puts every finding where it belongs.
pub fn judge(report: &Report, gate: &Gate, now: Timestamp) -> Judged {
    let mut judged = Judged { stale: age(&report.advisories, gate, now).err().map(|stale| stale.to_string()), ..Judged::default() };
    if gate.unjudged == Unjudged::Fail {
        judged.unjudged = report.gaps().cloned().collect();
    }
    for found in &report.vulnerabilities {
        let is_counted =
            gate.fail_on.is_some_and(|least| found.severity.level.reaches(least)) && (!gate.only_fixable || found.fixed.is_some());
        match let_through(found, gate, now) {
            Some(ignore) => judged.ignored.push(LetThrough { vulnerability: found.clone(), by: ignore.clone() }),
            None if is_counted => judged.counted.push(found.clone()),
            None => judged.others.push(found.clone()),
        }
    }
    for ignore in &gate.ignores {
        let is_about_something = report.vulnerabilities.iter().any(|found| ignore.names(found));
        match (is_about_something, ignore.is_over(now)) {
            (true, true) => judged.expired.push(ignore.clone()),
            (false, _) => judged.unused.push(ignore.clone()),
            (true, false) => {}
        }
    }
    judged
}

/// What lets a finding through: a line about it, or lines about every one that it carries on, of which the last is told.
fn let_through<'g>(found: &Vulnerability, gate: &'g Gate, now: Timestamp) -> Option<&'g Ignore> {
    let by = |id: &str| gate.ignores.iter().find(|ignore| ignore.id == id && ignore.is_of(found) && !ignore.is_over(now));
    let mut last = None;
    found.is_covered(|id| by(id).inspect(|ignore| last = Some(*ignore)).is_some()).then_some(last).flatten()
}

/// A finding as every room tells findings.
pub fn finding(found: &Vulnerability) -> Finding {
    let severity = match found.severity.level {
        Level::Critical | Level::High => base::Severity::Error,
        Level::Medium | Level::Unknown => base::Severity::Warning,
        Level::Low => base::Severity::Info,
    };
    let place = Place { file: Some(found.package.file.clone()), line: found.package.line, ..Place::default() };
    let summary = if found.summary.is_empty() { String::new() } else { format!(": {}", found.summary) };
    let cve = found.cve().filter(|cve| *cve != found.id).into_iter();
    let also: String = cve.chain(found.upstream.iter().map(String::as_str)).map(|id| format!(", {id}")).collect();
    let message = format!("`{}` {} is affected ({}{also}){summary}", found.package.package, found.package.version, weight(found));
    Finding::new(&found.id, severity, place, message).with_help(help(found))
}

/// What mends it, or what its vendor says.
pub fn help(found: &Vulnerability) -> String {
    match (&found.fixed, &found.package.source) {
        (Some(fixed), Some(source)) => format!("fixed in {fixed} of `{}`", source.name),
        (Some(fixed), None) => format!("update `{}` to {fixed}", found.package.package),
        (None, _) => format!("{}: {}", found.package.package, found.status.words()),
    }
}

/// `critical 9.8 by NVD`.
fn weight(found: &Vulnerability) -> String {
    let severity = &found.severity;
    let score = severity.score.map(|score| format!(" {score:.1}")).unwrap_or_default();
    let source = if severity.source.is_empty() { String::new() } else { format!(" by {}", severity.source) };
    if severity.level == Level::Unknown {
        "severity unknown, counts as high".to_owned()
    } else {
        format!("{}{score}{source}", severity.level)
    }
}

/// A duration in days, as ages of advisories are spoken of.
fn days(duration: Duration) -> String {
    let hours = duration.as_secs() / 3_600;
    match hours {
        0..48 => format!("{hours} h"),
        _ => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ecosystem;
    use crate::matching::tests::{osv, package, scanned};

    const DAY: Duration = Duration::from_secs(86_400);

    fn gate() -> Gate {
        Gate {
            mode: Mode::Fail,
            unjudged: Unjudged::Fail,
            fail_on: Some(Level::High),
            only_fixable: false,
            advisories_at_most: None,
            ignores: Vec::new(),
        }
    }

    #[test]
    fn what_could_not_be_judged_stops_unless_that_is_allowed() {
        let npm = osv("GHSA-1", &[], ("npm", "b"), "2.0.0");
        let unknown = scanned(vec![package(Ecosystem::PyPi, "a", "1.0")], std::slice::from_ref(&npm));
        let mut unread = scanned(Vec::new(), &[npm]);
        unread.unjudged.push(crate::tree::unread("Cargo.lock", "line 1: expected a table"));
        for report in [unknown, unread] {
            let judged = judge(&report, &Gate { fail_on: None, ..gate() }, report.advisories.created);
            assert_eq!(judged.unjudged, report.unjudged);
            assert!(judged.stops(Mode::Fail) && !judged.stops(Mode::Warn));
            let allowed = judge(&report, &Gate { unjudged: Unjudged::Warn, ..gate() }, report.advisories.created);
            assert!(allowed.unjudged.is_empty() && !allowed.stops(Mode::Fail));
        }
    }

    fn report() -> Report {
        let weighed = osv("GHSA-1", &["CVE-1"], ("npm", "a"), "2.0.0").replacen(
            "\"summary\"",
            "\"database_specific\":{\"severity\":\"MODERATE\"},\"summary\"",
            1,
        );
        scanned(
            vec![package(Ecosystem::Npm, "a", "1.0.0"), package(Ecosystem::Npm, "b", "1.0.0")],
            &[weighed, osv("GHSA-2", &[], ("npm", "b"), "")],
        )
    }

    fn built() -> Timestamp {
        report().advisories.created
    }

    fn ids(found: &[Vulnerability]) -> Vec<&str> {
        found.iter().map(|found| found.id.as_str()).collect()
    }

    #[test]
    fn weight_and_fix_decide_and_the_mode_says_what_follows() {
        let judged = judge(&report(), &gate(), built());
        assert_eq!((ids(&judged.counted), ids(&judged.others)), (vec!["GHSA-2"], vec!["GHSA-1"]));
        assert!(judged.stops(Mode::Fail) && !judged.stops(Mode::Warn) && !judged.stops(Mode::ReportOnly));
        let fixable = judge(&report(), &Gate { only_fixable: true, fail_on: Some(Level::Low), ..gate() }, built());
        assert_eq!((ids(&fixable.counted), ids(&fixable.others)), (vec!["GHSA-1"], vec!["GHSA-2"]));
        assert!(judge(&report(), &Gate { fail_on: None, ..gate() }, built()).counted.is_empty());
    }

    #[test]
    fn an_ignore_holds_by_any_name_for_its_package_and_its_time() {
        let ignore = |id: &str, package: Option<&str>, days: u32| Ignore {
            id: id.to_owned(),
            package: package.map(str::to_owned),
            reason: "not reached".to_owned(),
            until: Some(built().plus(DAY * days)),
        };
        let with =
            |ignores, day: u32| judge(&report(), &Gate { fail_on: Some(Level::Low), ignores, ..gate() }, built().plus(DAY * day / 2));
        let held = with(vec![ignore("CVE-1", Some("a"), 1), ignore("GHSA-2", Some("other"), 1)], 0);
        assert_eq!((ids(&held.counted), held.ignored.len(), held.unused.len()), (vec!["GHSA-2"], 1, 1));
        let over = with(vec![ignore("CVE-1", None, 0)], 1);
        assert_eq!((over.counted.len(), over.expired.len(), over.ignored.len()), (2, 1, 0));
    }

    /// A notice of two, of which the index has no advisories of their own.
    fn notice() -> Report {
        let text = osv("DSA-1", &[], ("Debian:12", "p"), "2").replacen("\"summary\"", "\"upstream\":[\"CVE-1\",\"CVE-2\"],\"summary\"", 1);
        scanned(vec![package(Ecosystem::Debian("12".to_owned()), "p", "1")], &[text])
    }

    #[test]
    fn a_notice_of_several_is_let_through_by_its_own_id_or_by_all_of_them() {
        let ignore = |id: &&str| Ignore { id: (*id).to_owned(), package: None, reason: "not reached".to_owned(), until: None };
        let counted = |ids: &[&str]| {
            let judged = judge(&notice(), &Gate { ignores: ids.iter().map(ignore).collect(), ..gate() }, built());
            (judged.counted.len(), judged.ignored.len(), judged.unused.len())
        };
        assert_eq!((counted(&["CVE-1"]), counted(&["CVE-1", "CVE-2"]), counted(&["DSA-1"])), ((1, 0, 0), (0, 1, 0), (0, 1, 0)));
        assert_eq!(counted(&["CVE-1", "CVE-3"]), (1, 0, 1));
        let told = finding(&notice().vulnerabilities[0]);
        assert!(told.message.contains("CVE-1, CVE-2"), "{}", told.message);
    }

    #[test]
    fn a_baseline_hides_a_notice_only_where_all_of_it_was_there() {
        let debian = || vec![package(Ecosystem::Debian("12".to_owned()), "p", "1")];
        let one = |id: &str| osv(id, &[], ("Debian:12", "p"), "2");
        let left = |before: &Report, mut now: Report| {
            crate::baseline::Baseline::of(before).take_from(&mut now);
            now.vulnerabilities.len()
        };
        assert_eq!(left(&scanned(debian(), &[one("CVE-1")]), notice()), 1);
        assert_eq!(left(&scanned(debian(), &[one("CVE-1"), one("CVE-2")]), notice()), 0);
        assert_eq!(left(&notice(), scanned(debian(), &[one("CVE-2")])), 0);
    }

    #[test]
    fn old_and_frozen_advisories_are_refused_by_name() {
        let old = judge(&report(), &Gate { advisories_at_most: Some(DAY / 4), ..gate() }, built().plus(DAY / 2));
        assert!(old.stale.as_ref().is_some_and(|why| why.contains("`advisories-at-most` allows 6 h")), "{:?}", old.stale);
        let frozen = judge(&report(), &gate(), built().plus(DAY * 2));
        assert!(frozen.stale.as_ref().is_some_and(|why| why.contains("frozen")) && frozen.stops(Mode::Fail) && !frozen.stops(Mode::Warn));
    }

    #[test]
    fn a_finding_names_id_place_and_fix() {
        let told = finding(&report().vulnerabilities[0]);
        assert_eq!((told.rule.as_str(), told.place.to_string().as_str()), ("GHSA-1", "Cargo.lock:3"));
        assert_eq!(told.message, "`a` 1.0.0 is affected (medium by GitHub, CVE-1): about GHSA-1");
        assert_eq!(told.help, "update `a` to 2.0.0");
    }
}
