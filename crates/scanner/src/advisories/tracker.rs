//! Debian's own data: the security tracker's JSON, by source package, CVE and release.

use super::osv::one_line;
use super::{Advisory, Affected, End, Interval, Status};
use crate::Ecosystem;
use crate::severity::Rating;
use crate::versions;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A package's vulnerabilities by id.
pub(super) type Tracker = BTreeMap<String, BTreeMap<String, Entry>>;

#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(default)]
    description: String,
    #[serde(default)]
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    status: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    nodsa_reason: Option<String>,
}

/// The numbers of the releases that have one; `sid` has none.
const RELEASES: [(&str, &str); 9] = [
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

/// One advisory for each id, with every package and release that it is about, and what of the data was not understood.
pub(super) fn read(tracker: Tracker) -> (Vec<Advisory>, Vec<String>) {
    let mut found: BTreeMap<String, Advisory> = BTreeMap::new();
    let mut unread = Vec::new();
    for (package, entries) in tracker {
        for (id, entry) in entries {
            let affected: Vec<Affected> =
                entry.releases.iter().filter_map(|(name, release)| of_release(&package, name, release, &mut unread)).collect();
            if affected.is_empty() {
                continue;
            }
            let advisory = found.entry(id.clone()).or_insert_with(|| Advisory {
                id,
                aliases: Vec::new(),
                upstream: Vec::new(),
                summary: one_line(&entry.description),
                published: String::new(),
                ratings: Vec::new(),
                affected: Vec::new(),
            });
            advisory.affected.extend(affected);
        }
    }
    (found.into_values().collect(), unread)
}

fn of_release(package: &str, name: &str, release: &Release, unread: &mut Vec<String>) -> Option<Affected> {
    let number = RELEASES.iter().find(|(known, _)| *known == name)?.1;
    let ecosystem = Ecosystem::Debian(number.to_owned());
    let end = match (release.status.as_str(), release.fixed_version.as_deref()) {
        // The release never had it.
        ("resolved", Some("0")) => return None,
        ("resolved", Some(version)) => End::Fixed(version.to_owned()),
        ("open" | "undetermined", _) => End::Open,
        (status, _) => {
            unread.push(format!("{package} in {name}: the status `{status}` without a version"));
            return None;
        }
    };
    if let End::Fixed(version) = &end
        && let Err(error) = versions::compare(&ecosystem, version, version)
    {
        unread.push(format!("{package} in {name}: {error}"));
        return None;
    }
    let status = match (release.status.as_str(), release.urgency.as_str(), release.nodsa_reason.as_deref()) {
        (_, "end-of-life", _) => Status::EndOfLife,
        ("undetermined", ..) => Status::UnderInvestigation,
        (.., Some("ignored")) => Status::WillNotFix,
        (.., Some("postponed")) => Status::FixDeferred,
        _ => Status::Affected,
    };
    let urgency = release.urgency.trim_end_matches('*');
    let ratings = vec![Rating { value: urgency.to_owned(), source: "Debian".to_owned() }];
    Some(Affected {
        ecosystem,
        name: package.to_owned(),
        intervals: vec![Interval { introduced: None, end }],
        versions: Vec::new(),
        status,
        ratings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_its_own_end_and_status() {
        let text = r#"{"openssl":{"CVE-2024-1":{"description":"bad","releases":{
            "bookworm":{"status":"resolved","fixed_version":"3.0.11-1~deb12u2","urgency":"high"},
            "bullseye":{"status":"open","urgency":"not yet assigned","nodsa_reason":"postponed"},
            "buster":{"status":"open","urgency":"end-of-life"},
            "trixie":{"status":"resolved","fixed_version":"0","urgency":"unimportant"},
            "stretch":{"status":"strange","urgency":"low"},
            "sid":{"status":"resolved","fixed_version":"3.2-1","urgency":"high"}}}}}"#;
        let (advisories, unread) = read(serde_json::from_str(text).expect("a tracker"));
        let affected = &advisories[0].affected;
        let told: Vec<(String, Status)> = affected.iter().map(|affected| (affected.ecosystem.osv(), affected.status)).collect();
        assert_eq!(
            told,
            [("Debian:12", Status::Affected), ("Debian:11", Status::FixDeferred), ("Debian:10", Status::EndOfLife)]
                .map(|(name, status)| (name.to_owned(), status))
        );
        let bookworm = affected.first().expect("bookworm");
        assert_eq!(bookworm.hits("3.0.11-1~deb12u1").expect("read").and_then(|hit| hit.fixed), Some("3.0.11-1~deb12u2"));
        assert_eq!(bookworm.hits("3.0.11-1~deb12u2"), Ok(None));
        assert_eq!(unread, ["openssl in stretch: the status `strange` without a version"]);
    }
}
