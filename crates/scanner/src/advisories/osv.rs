//! Advisories in OSV form (schema 1.7), as JSON or YAML.

use super::{Advisory, Affected, End, Interval, Status};
use crate::Ecosystem;
use crate::severity::Rating;
use crate::versions;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

#[derive(Deserialize)]
pub(super) struct Osv {
    id: String,
    #[serde(default)]
    published: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    upstream: Option<Vec<String>>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    severity: Option<Vec<Scored>>,
    #[serde(default)]
    affected: Option<Vec<Part>>,
    #[serde(default)]
    database_specific: Option<Value>,
}

#[derive(Deserialize)]
struct Scored {
    #[serde(default)]
    score: String,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    package: Option<Named>,
    #[serde(default)]
    ranges: Option<Vec<Range>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    severity: Option<Vec<Scored>>,
    #[serde(default)]
    database_specific: Option<Value>,
    #[serde(default)]
    ecosystem_specific: Option<Value>,
}

#[derive(Deserialize)]
struct Named {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    r#type: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    introduced: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    #[serde(default)]
    last_affected: Option<String>,
}

/// What an OSV document came to.
pub(super) struct Read {
    /// The advisory; none where it was withdrawn.
    pub(super) advisory: Option<Advisory>,
    /// What of it was not understood, a sentence each.
    pub(super) unread: Vec<String>,
}

impl Osv {
    /// As the index keeps it.
    pub(super) fn read(self) -> Read {
        let mut unread = Vec::new();
        if self.withdrawn.is_some() {
            return Read { advisory: None, unread };
        }
        let source = source(&self.id);
        let affected = self.affected.unwrap_or_default().into_iter().filter_map(|part| part.read(source, &mut unread)).collect();
        let mut ratings = scores(self.severity, source);
        ratings.extend(word(self.database_specific.as_ref(), "severity", source));
        let summary = self.summary.filter(|text| !text.is_empty()).or(self.details).unwrap_or_default();
        let advisory = Advisory {
            id: self.id,
            aliases: self.aliases.unwrap_or_default(),
            upstream: self.upstream.unwrap_or_default(),
            summary: one_line(&summary),
            published: self.published.unwrap_or_default(),
            ratings,
            affected,
        };
        Read { advisory: Some(advisory), unread }
    }
}

impl Part {
    fn read(self, source: &str, unread: &mut Vec<String>) -> Option<Affected> {
        let package = self.package?;
        // Other ecosystems are no error: Wharf has no catalogue for them.
        let ecosystem = Ecosystem::parse(&package.ecosystem)?;
        let name = if ecosystem == Ecosystem::PyPi { normal_name(&package.name) } else { package.name };
        let mut intervals = Vec::new();
        let ranges = self.ranges.unwrap_or_default();
        for range in ranges.iter().filter(|range| range.r#type != "GIT") {
            match row(&ecosystem, &range.events) {
                Ok(row) => intervals.extend(row),
                Err(why) => unread.push(format!("{name}: {why}")),
            }
        }
        let held = |version: &String| intervals.iter().any(|interval: &Interval| interval.holds(&ecosystem, version) == Ok(true));
        let versions: Vec<String> = self.versions.unwrap_or_default().into_iter().filter(|version| !held(version)).collect();
        if intervals.is_empty() && versions.is_empty() {
            return None;
        }
        let mut ratings = scores(self.severity, source);
        let informational = word(self.database_specific.as_ref(), "informational", source);
        ratings.extend(informational.map(|told| Rating { value: "informational".to_owned(), source: format!("{source}, {}", told.value) }));
        for (specific, key) in
            [(&self.database_specific, "severity"), (&self.ecosystem_specific, "severity"), (&self.ecosystem_specific, "urgency")]
        {
            ratings.extend(word(specific.as_ref(), key, source));
        }
        ratings.dedup();
        Some(Affected { ecosystem, name, intervals, versions, status: Status::Affected, ratings })
    }
}

/// Events in their order, as rows of versions (OSV, "Evaluation"): `introduced` opens one, `fixed` and `last_affected` end it.
fn row(ecosystem: &Ecosystem, events: &[Event]) -> Result<Vec<Interval>, String> {
    enum Kind {
        Opens,
        Fixes,
        Ends,
    }
    let mut sorted: Vec<(Cow<'_, str>, Kind)> = Vec::new();
    for event in events {
        let told = [(&event.introduced, Kind::Opens), (&event.fixed, Kind::Fixes), (&event.last_affected, Kind::Ends)];
        sorted.extend(told.into_iter().filter_map(|(version, kind)| Some((versions::completed(ecosystem, version.as_deref()?), kind))));
    }
    for (version, _) in sorted.iter().filter(|(version, _)| version != "0") {
        versions::compare(ecosystem, version, version).map_err(|error| error.to_string())?;
    }
    sorted.sort_by(|(a, _), (b, _)| match (a == "0", b == "0") {
        (false, false) => versions::compare(ecosystem, a, b).unwrap_or(Ordering::Equal),
        (a, b) => b.cmp(&a),
    });
    let mut rows = Vec::new();
    let mut open: Option<Option<String>> = None;
    for (version, kind) in sorted {
        let version = Some(version.into_owned()).filter(|version| version != "0");
        match (kind, version) {
            (Kind::Opens, version) => open = Some(open.unwrap_or(version)),
            (Kind::Fixes, Some(version)) => rows.extend(open.take().map(|introduced| Interval { introduced, end: End::Fixed(version) })),
            (Kind::Ends, Some(version)) => rows.extend(open.take().map(|introduced| Interval { introduced, end: End::Last(version) })),
            // Mended before the first version: nothing was ever affected.
            (Kind::Fixes | Kind::Ends, None) => open = None,
        }
    }
    rows.extend(open.map(|introduced| Interval { introduced, end: End::Open }));
    Ok(rows)
}

fn scores(scored: Option<Vec<Scored>>, source: &str) -> Vec<Rating> {
    scored.unwrap_or_default().into_iter().map(|scored| Rating { value: scored.score, source: source.to_owned() }).collect()
}

fn word(specific: Option<&Value>, key: &str, source: &str) -> Option<Rating> {
    let value = specific?.get(key)?.as_str()?;
    Some(Rating { value: value.to_owned(), source: source.to_owned() })
}

/// Who stands behind an id.
pub(super) fn source(id: &str) -> &'static str {
    const KNOWN: [(&str, &str); 12] = [
        ("GHSA-", "GitHub"),
        ("RUSTSEC-", "RustSec"),
        ("PYSEC-", "PyPA"),
        ("GO-", "Go"),
        ("DSA-", "Debian"),
        ("DLA-", "Debian"),
        ("DTSA-", "Debian"),
        ("DEBIAN-", "Debian"),
        ("USN-", "Ubuntu"),
        ("UBUNTU-", "Ubuntu"),
        ("ALPINE-", "Alpine"),
        ("MAL-", "OpenSSF"),
    ];
    KNOWN.iter().find(|(prefix, _)| id.starts_with(prefix)).map_or("OSV", |(_, name)| name)
}

/// PyPI's names as they are compared (PEP 503).
pub(super) fn normal_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            normal.extend(c.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

/// The first line that says something, at most 200 characters of it.
pub(super) fn one_line(text: &str) -> String {
    const MOST: usize = 200;
    let line = text.lines().map(|line| line.trim().trim_start_matches('#').trim()).find(|line| !line.is_empty()).unwrap_or_default();
    let mut short: String = line.chars().take(MOST).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Read {
        serde_json::from_str::<Osv>(json).expect("OSV").read()
    }

    #[test]
    fn rows_begin_and_end_as_events_say_whatever_their_order() {
        let text = r#"{"id":"GO-1","affected":[{"package":{"ecosystem":"Go","name":"stdlib"},"ranges":[{"type":"SEMVER","events":[
            {"introduced":"1.22.0-0"},{"fixed":"1.22.1"},{"introduced":"0"},{"fixed":"1.21.8"}]}]}]}"#;
        let advisory = read(text).advisory.expect("advisory");
        let affected = &advisory.affected[0];
        for (version, fixed) in [("go1.20", Some("1.21.8")), ("go1.22rc1", Some("1.22.1")), ("go1.21.8", None), ("go1.22.1", None)] {
            assert_eq!(affected.hits(version).expect("read").and_then(|hit| hit.fixed), fixed, "{version}");
        }
        assert!(affected.hits("(devel)").is_err());
    }

    #[test]
    fn short_versions_of_rows_stand_for_whole_ones() {
        let text = r#"{"id":"GHSA-1","affected":[{"package":{"ecosystem":"crates.io","name":"time"},"ranges":[{"type":"SEMVER","events":[
            {"introduced":"0.1"},{"last_affected":"0.2"}]}]},{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[
            {"introduced":"0"},{"fixed":"2"}]}]}]}"#;
        let read = read(text);
        assert!(read.unread.is_empty(), "{:?}", read.unread);
        let affected = read.advisory.expect("advisory").affected;
        let hits = |of: usize, version| affected[of].hits(version).expect("a version").is_some();
        assert!(hits(0, "0.1.43") && hits(0, "0.2.0") && !hits(0, "0.2.1") && !hits(0, "0.0.9") && hits(1, "1.9.9") && !hits(1, "2.0.0"));
    }

    #[test]
    fn versions_by_name_count_beside_ranges_and_twice_told_is_kept_once() {
        let text = r#"{"id":"PYSEC-1","summary":"","details":"\n# Title\nmore","affected":[{"package":{"ecosystem":"PyPI","name":"A_b"},
            "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"1.0"},{"last_affected":"1.4"}]},{"type":"GIT","events":[{"introduced":"0"}]}],
            "versions":["1.2","0.9","2004d"]}],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}"#;
        let advisory = read(text).advisory.expect("advisory");
        let affected = &advisory.affected[0];
        assert_eq!((advisory.summary.as_str(), affected.name.as_str(), affected.versions.len()), ("Title", "a-b", 2));
        let is_hit = |version| affected.hits(version).ok().flatten().is_some();
        assert!(["1.0", "1.4", "1.4.0", "0.9", "2004d"].into_iter().all(is_hit) && !["1.4.1", "0.8", "2005x"].into_iter().any(is_hit));
    }

    #[test]
    fn what_is_withdrawn_is_left_out_and_what_is_unreadable_told() {
        assert!(read(r#"{"id":"X","withdrawn":"2024-01-01T00:00:00Z"}"#).advisory.is_none());
        let text = r#"{"id":"X","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"x"}]}]},
            {"package":{"ecosystem":"Maven","name":"b"},"versions":["1"]}]}"#;
        let read = read(text);
        assert_eq!(read.unread, ["a: `x` is no version of npm"]);
        assert!(read.advisory.is_some_and(|advisory| advisory.affected.is_empty()));
    }
}
