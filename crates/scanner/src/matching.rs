//! Packages against the index: what is known of each, a vulnerability once however many databases tell of it.

mod groups;

use crate::advisories::index::{Index, IndexError};
use crate::severity::Severity;
use crate::{Ecosystem, Inventory, Os, Package, Source, Target};
use base::{Finding, Place, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::advisories::Status;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Packages for development count too.
    pub development: bool,
}

/// What is known against the packages of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was looked at.
    pub target: Target,
    /// Its distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// The index that was asked.
    pub advisories: Asked,
    /// When.
    pub at: Timestamp,
    /// How many packages were judged.
    pub packages: usize,
    /// How many could not be: the index knows nothing of their ecosystem, or nobody can place their version.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unjudged_packages: usize,
    /// How many were left out because they serve development only.
    #[serde(default, skip_serializing_if = "is_none")]
    pub development_packages: usize,
    /// What was found, worst first.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What could not be judged, and why: files that could not be read, versions that nobody can place, ecosystems that the index knows nothing of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Finding>,
}

/// Which index was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number.
    pub sequence: u64,
    /// When it was built.
    pub created: Timestamp,
    /// Until when it is fresh.
    pub fresh_until: Timestamp,
}

impl Asked {
    /// An index.
    pub fn of(index: &Index) -> Self {
        let head = index.head();
        Self { sequence: head.sequence, created: head.created, fresh_until: head.fresh_until }
    }
}

/// A vulnerability of a package in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// Its id in the database that knows the package best.
    pub id: String,
    /// Its other ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The vulnerabilities that it carries on, where it is a notice of several: each of them is another one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// One line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// How bad, and who says so.
    pub severity: Severity,
    /// What is done about it.
    pub status: Status,
    /// The version that mends it; of a distribution the source package's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// When it was published, as its database writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub published: String,
    /// The package.
    #[serde(flatten)]
    pub package: Vulnerable,
}

/// The package that has a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vulnerable {
    /// Who numbers it.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// What it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The file that told of it.
    pub file: String,
    /// Its line there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The layer that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
}

impl Vulnerability {
    /// Whether this is what an id names.
    pub fn is(&self, id: &str) -> bool {
        self.id == id || self.aliases.iter().any(|alias| alias == id)
    }

    /// All its ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// Whether this is known by what holds for ids: for one of its own, or for every one that it carries on. What holds for one of several says
    /// nothing of the others.
    pub fn is_covered(&self, mut holds: impl FnMut(&str) -> bool) -> bool {
        self.ids().any(&mut holds) || (!self.upstream.is_empty() && self.upstream.iter().all(|id| holds(id)))
    }

    /// The id that people know it by: its CVE where it has one.
    pub fn cve(&self) -> Option<&str> {
        self.ids().find(|id| id.starts_with("CVE-"))
    }
}

/// Matches every package.
///
/// # Errors
/// When a part of the index is not what was signed.
pub fn scan(inventory: &Inventory, index: &Index, options: &Options, now: Timestamp) -> Result<Report, IndexError> {
    let mut report = Report {
        target: inventory.target.clone(),
        os: inventory.os.clone(),
        advisories: Asked::of(index),
        at: now,
        packages: 0,
        unjudged_packages: 0,
        development_packages: 0,
        vulnerabilities: Vec::new(),
        unjudged: inventory.unread.clone(),
    };
    let known = index.about()?.ecosystems;
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    // Many binary packages come from one source package, and are judged by it.
    let mut judged: BTreeMap<(&Ecosystem, &str, &str), Result<Vec<groups::Group>, String>> = BTreeMap::new();
    for package in inventory.packages.iter().filter(|package| is_judged(package)) {
        if package.development && !options.development {
            report.development_packages += 1;
            continue;
        }
        if !known.contains_key(&package.ecosystem.osv()) {
            *unknown.entry(package.ecosystem.osv()).or_default() += 1;
            report.unjudged_packages += 1;
            continue;
        }
        let (name, version) = judged_by(package);
        let key = (&package.ecosystem, name, version);
        let groups = match judged.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(groups::of(index, &package.ecosystem, name, version)?),
        };
        match groups {
            Ok(groups) => {
                report.packages += 1;
                report.vulnerabilities.extend(groups.iter().map(|group| group.of_package(package)));
            }
            Err(why) => {
                report.unjudged_packages += 1;
                report.unjudged.push(unjudged(package, why));
            }
        }
    }
    let told = unknown.into_iter().map(|(ecosystem, count)| {
        let packages = if count == 1 { "1 package was".to_owned() } else { format!("{count} packages were") };
        Finding::new(
            "unjudged",
            base::Severity::Warning,
            Place::default(),
            format!("the index knows nothing of {ecosystem}: {packages} not judged"),
        )
        .with_help("build or fetch one that has its advisories")
    });
    report.unjudged.extend(told);
    report.vulnerabilities.sort_by(|a, b| {
        let weight = |found: &Vulnerability| (found.severity.level, found.severity.score.map(|score| (score * 10.0) as u8));
        weight(b).cmp(&weight(a)).then_with(|| a.package.cmp(&b.package)).then_with(|| a.id.cmp(&b.id))
    });
    report.vulnerabilities.dedup();
    Ok(report)
}

/// A language's package that the distribution installed is the distribution's: its vendor mends it under the same version.
///
/// A go.mod tells the oldest Go that may build it, not the one that does; a program tells which one did.
fn is_judged(package: &Package) -> bool {
    let is_least = package.ecosystem == Ecosystem::Go && package.name == "stdlib" && package.file.rsplit('/').next() == Some("go.mod");
    !is_least && (package.ecosystem.is_distribution() || !package.owned)
}

/// Distributions write of source packages.
fn judged_by(package: &Package) -> (&str, &str) {
    match &package.source {
        Some(source) if package.ecosystem.is_distribution() => (&source.name, &source.version),
        _ => (&package.name, &package.version),
    }
}

fn unjudged(package: &Package, why: &str) -> Finding {
    let place = Place { file: Some(package.file.clone()), line: package.line, ..Place::default() };
    Finding::new("unjudged", base::Severity::Info, place, format!("{} was not judged: {why}", package.name))
}

impl Report {
    /// Leaves out what no version mends; how many that were.
    pub fn keep_fixable(&mut self) -> usize {
        let before = self.vulnerabilities.len();
        self.vulnerabilities.retain(|found| found.fixed.is_some());
        before - self.vulnerabilities.len()
    }

    /// Where it could not look and should have: files that could not be read, ecosystems that the index knows nothing of. What is only a
    /// note, such as a requirement without a version, is none.
    pub fn gaps(&self) -> impl Iterator<Item = &Finding> {
        self.unjudged.iter().filter(|told| matches!(told.severity, base::Severity::Error | base::Severity::Warning))
    }

    /// Every id that was found, by package: what a later report is compared with.
    pub fn known(&self) -> BTreeSet<(String, String, String)> {
        self.vulnerabilities.iter().flat_map(keys).collect()
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// All that is there with a vulnerability, whatever its package's version: each of its ids, and each that it carries on.
fn keys(found: &Vulnerability) -> impl Iterator<Item = (String, String, String)> + '_ {
    found.ids().chain(found.upstream.iter().map(String::as_str)).map(|id| key(found, id))
}

fn key(found: &Vulnerability, id: &str) -> (String, String, String) {
    (id.to_owned(), found.package.ecosystem.osv(), found.package.package.clone())
}

/// Whether a vulnerability of this package is among those that were there.
pub(crate) fn was_there(known: &BTreeSet<(String, String, String)>, found: &Vulnerability) -> bool {
    found.is_covered(|id| known.contains(&key(found, id)))
}

#[cfg(test)]
pub(crate) mod tests;
