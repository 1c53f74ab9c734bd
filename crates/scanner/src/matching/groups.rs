//! What several databases say of one package and version, brought together by their aliases.

use super::{Status, Vulnerability, Vulnerable};
use crate::advisories::index::{Index, IndexError, Match};
use crate::advisories::{Advisory, Affected};
use crate::severity::{Rating, Severity};
use crate::versions::compare;
use crate::{Ecosystem, Package};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// One vulnerability, as all its advisories tell it.
pub(super) struct Group {
    id: String,
    aliases: Vec<String>,
    upstream: Vec<String>,
    summary: String,
    severity: Severity,
    status: Status,
    fixed: Option<String>,
    published: String,
}

/// An advisory that a version is affected by.
struct Found {
    advisory: Advisory,
    affected: Affected,
    fixed: Option<String>,
}

/// Everything that a version of a package is affected by, or why that cannot be told.
pub(super) fn of(index: &Index, ecosystem: &Ecosystem, name: &str, version: &str) -> Result<Result<Vec<Group>, String>, IndexError> {
    let mut found: BTreeMap<u32, Found> = BTreeMap::new();
    let mut unread = None;
    for Match { advisory, affected } in index.lookup(ecosystem, name)? {
        let fixed = match affected.hits(version) {
            Ok(None) => continue,
            Ok(Some(hit)) => hit.fixed.map(str::to_owned),
            Err(error) => {
                unread = Some(error.to_string());
                continue;
            }
        };
        // The same advisory may have the package twice; a fix is better than none.
        let known = found.get(&advisory).is_some_and(|known| known.fixed.is_some());
        if !known {
            found.insert(advisory, Found { advisory: index.advisory(advisory)?, affected, fixed });
        }
    }
    if found.is_empty()
        && let Some(why) = unread
    {
        return Ok(Err(why));
    }
    Ok(Ok(grouped(ecosystem, found.into_values().collect())))
}

/// Advisories that share an id are one vulnerability. One that stands for several others (a distribution's notice) joins each of them
/// where all are there, and stands alone otherwise.
fn grouped(ecosystem: &Ecosystem, found: Vec<Found>) -> Vec<Group> {
    let (notices, single): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.advisory.upstream.len() > 1);
    let mut sets: Vec<(BTreeSet<String>, Vec<Found>)> = Vec::new();
    for found in single {
        let mut ids: BTreeSet<String> = ids(&found.advisory).collect();
        let mut members = vec![found];
        let (joined, apart): (Vec<_>, Vec<_>) = sets.into_iter().partition(|(known, _)| !known.is_disjoint(&ids));
        for (known, more) in joined {
            ids.extend(known);
            members.splice(0..0, more);
        }
        sets = apart;
        sets.push((ids, members));
    }
    for notice in notices {
        let carried = &notice.advisory.upstream;
        let known = |id: &String| sets.iter().any(|(ids, _)| ids.contains(id));
        if carried.iter().all(known) {
            let own: Vec<String> = std::iter::once(&notice.advisory.id).chain(&notice.advisory.aliases).cloned().collect();
            for (ids, _) in sets.iter_mut().filter(|(ids, _)| carried.iter().any(|id| ids.contains(id))) {
                ids.extend(own.iter().cloned());
            }
        } else {
            sets.push((std::iter::once(&notice.advisory.id).chain(&notice.advisory.aliases).cloned().collect(), vec![notice]));
        }
    }
    sets.into_iter().filter_map(|(ids, members)| Group::of(ecosystem, &ids, members)).collect()
}

fn ids(advisory: &Advisory) -> impl Iterator<Item = String> + '_ {
    std::iter::once(&advisory.id).chain(&advisory.aliases).chain(&advisory.upstream).cloned()
}

/// The ecosystem's own database first, then whoever else describes packages, then plain numbers.
fn rank(ecosystem: &Ecosystem, id: &str) -> usize {
    let own: &[&str] = match ecosystem {
        Ecosystem::Cargo => &["RUSTSEC-"],
        Ecosystem::PyPi => &["PYSEC-"],
        Ecosystem::Go => &["GO-"],
        Ecosystem::Npm => &["GHSA-"],
        Ecosystem::Debian(_) => &["CVE-", "DEBIAN-", "DSA-", "DLA-"],
        Ecosystem::Ubuntu(_) => &["CVE-", "UBUNTU-", "USN-"],
        Ecosystem::Alpine(_) => &["CVE-", "ALPINE-"],
    };
    let order = own.iter().chain(&["GHSA-", "CVE-"]);
    order.clone().position(|prefix| id.starts_with(prefix)).unwrap_or(order.count())
}

impl Group {
    fn of(ecosystem: &Ecosystem, ids: &BTreeSet<String>, mut members: Vec<Found>) -> Option<Self> {
        members.sort_by_key(|found| (rank(ecosystem, &found.advisory.id), found.advisory.id.clone()));
        let best = members.first()?;
        let ratings: Vec<Rating> =
            members.iter().flat_map(|found| found.affected.ratings.iter().chain(&found.advisory.ratings)).cloned().collect();
        // Where databases disagree on the version that mends it, the later one does by all of them.
        let fixed =
            members.iter().filter_map(|found| found.fixed.clone()).max_by(|a, b| compare(ecosystem, a, b).unwrap_or(Ordering::Equal));
        let first = |text: fn(&Advisory) -> &String| {
            members.iter().map(|found| text(&found.advisory)).find(|text| !text.is_empty()).cloned().unwrap_or_default()
        };
        Some(Self {
            id: best.advisory.id.clone(),
            aliases: ids.iter().filter(|id| **id != best.advisory.id).cloned().collect(),
            upstream: members.iter().flat_map(|found| &found.advisory.upstream).filter(|id| !ids.contains(*id)).cloned().collect(),
            summary: first(|advisory| &advisory.summary),
            published: first(|advisory| &advisory.published),
            severity: Severity::of(ratings.iter(), ecosystem.is_distribution()),
            status: if fixed.is_some() { Status::Fixed } else { best.affected.status },
            fixed,
        })
    }

    /// The same of one package.
    pub(super) fn of_package(&self, package: &Package) -> Vulnerability {
        Vulnerability {
            id: self.id.clone(),
            aliases: self.aliases.clone(),
            upstream: self.upstream.clone(),
            summary: self.summary.clone(),
            severity: self.severity.clone(),
            status: self.status,
            fixed: self.fixed.clone(),
            published: self.published.clone(),
            package: Vulnerable {
                ecosystem: package.ecosystem.clone(),
                package: package.name.clone(),
                version: package.version.clone(),
                source: package.source.clone(),
                file: package.file.clone(),
                line: package.line,
                layer: package.layer.clone(),
            },
        }
    }
}
