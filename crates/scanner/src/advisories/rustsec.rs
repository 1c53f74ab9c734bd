//! RustSec's own files: a TOML head in a Markdown file (advisory-db, README "Advisory Format").

use super::osv::one_line;
use super::{Advisory, Affected, End, Interval, Status};
use crate::Ecosystem;
use crate::severity::Rating;
use crate::versions;
use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};
use serde::Deserialize;
use std::cmp::Ordering;

#[derive(Deserialize)]
struct File {
    advisory: Head,
    versions: Versions,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    package: String,
    #[serde(default)]
    date: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    cvss: Option<String>,
    #[serde(default)]
    informational: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Whether a text begins as such a file does.
pub(super) fn is_advisory(text: &str) -> bool {
    text.starts_with("```toml")
}

/// The advisory; none where it was withdrawn.
///
/// # Errors
/// What is wrong with the file, in words.
pub(super) fn read(text: &str) -> Result<Option<Advisory>, String> {
    let head = text.strip_prefix("```toml").ok_or("it does not begin with ```toml")?;
    let (head, prose) = head.split_once("\n```").ok_or("its head does not end with ```")?;
    let file: File = toml::from_str(head).map_err(|error| error.to_string().trim().replace('\n', " "))?;
    if file.advisory.withdrawn.is_some() {
        return Ok(None);
    }
    let source = "RustSec";
    let rating = |value: String, source: String| Rating { value, source };
    let mut ratings: Vec<Rating> = file.advisory.cvss.into_iter().map(|vector| rating(vector, source.to_owned())).collect();
    let told = file.advisory.informational.map(|what| rating("informational".to_owned(), format!("{source}, {what}")));
    ratings.extend(told);
    let affected = Affected {
        ecosystem: Ecosystem::Cargo,
        name: file.advisory.package,
        intervals: affected(&file.versions)?,
        versions: Vec::new(),
        status: Status::Affected,
        ratings: Vec::new(),
    };
    Ok(Some(Advisory {
        id: file.advisory.id,
        aliases: file.advisory.aliases,
        upstream: Vec::new(),
        summary: one_line(prose),
        published: format!("{}T12:00:00Z", file.advisory.date),
        ratings,
        affected: if affected.intervals.is_empty() { Vec::new() } else { vec![affected] },
    }))
}

/// Versions from `first` up to `end`, both in the order of all versions; `end` is not one of them, and none is all that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    first: Version,
    end: Option<Version>,
}

/// All versions but those that are patched or unaffected.
fn affected(versions: &Versions) -> Result<Vec<Interval>, String> {
    let mut safe = Vec::new();
    for text in versions.patched.iter().chain(&versions.unaffected) {
        let requirement = VersionReq::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
        safe.extend(span(&requirement));
    }
    safe.sort_by(|a, b| order(&a.first, &b.first));
    let (mut rows, mut from) = (Vec::new(), Some(lowest()));
    for span in safe {
        let Some(first) = from.clone() else { break };
        if order(&first, &span.first).is_lt() {
            let introduced = Some(first.to_string()).filter(|_| first != lowest());
            rows.push(Interval { introduced, end: End::Fixed(span.first.to_string()) });
        }
        from = match span.end {
            Some(end) if order(&end, &first).is_gt() => Some(end),
            Some(_) => Some(first),
            None => None,
        };
    }
    rows.extend(from.map(|first| Interval { introduced: Some(first.to_string()).filter(|_| first != lowest()), end: End::Open }));
    Ok(rows)
}

/// The versions that fulfil every part of a requirement; none where the parts exclude one another.
fn span(requirement: &VersionReq) -> Option<Span> {
    let (mut first, mut end) = (lowest(), None::<Version>);
    for comparator in &requirement.comparators {
        let (least, below) = bounds(comparator);
        if order(&least, &first).is_gt() {
            first = least;
        }
        if let Some(below) = below
            && end.as_ref().is_none_or(|end| order(&below, end).is_lt())
        {
            end = Some(below);
        }
    }
    end.as_ref().is_none_or(|end| order(&first, end).is_lt()).then_some(Span { first, end })
}

/// The first version that a part of a requirement takes, and the first behind it that it takes no more (Cargo's book, "Specifying Dependencies").
fn bounds(part: &Comparator) -> (Version, Option<Version>) {
    let exact = Version { pre: part.pre.clone(), ..Version::new(part.major, part.minor.unwrap_or(0), part.patch.unwrap_or(0)) };
    let next = match (part.minor, part.patch) {
        (None, _) => Version::new(part.major.saturating_add(1), 0, 0),
        (Some(minor), None) => Version::new(part.major, minor.saturating_add(1), 0),
        (Some(_), Some(_)) => successor(&exact),
    };
    match part.op {
        Op::Exact | Op::Wildcard => (exact, Some(next)),
        Op::Greater => (next, None),
        Op::GreaterEq => (exact, None),
        Op::Less => (lowest(), Some(exact)),
        Op::LessEq => (lowest(), Some(next)),
        Op::Tilde => {
            let end = part.minor.map_or_else(
                || Version::new(part.major.saturating_add(1), 0, 0),
                |minor| Version::new(part.major, minor.saturating_add(1), 0),
            );
            (exact, Some(end))
        }
        _ => {
            let end = match (part.major, part.minor, part.patch) {
                (0, Some(0), Some(patch)) => Version::new(0, 0, patch.saturating_add(1)),
                (0, Some(minor), _) => Version::new(0, minor.saturating_add(1), 0),
                (major, ..) => Version::new(major.saturating_add(1), 0, 0),
            };
            (exact, Some(end))
        }
    }
}

/// The version directly behind another.
fn successor(version: &Version) -> Version {
    let zero = || Prerelease::new("0").unwrap_or(Prerelease::EMPTY);
    if version.pre.is_empty() {
        Version { pre: zero(), ..Version::new(version.major, version.minor, version.patch.saturating_add(1)) }
    } else {
        let pre = Prerelease::new(&format!("{}.0", version.pre)).unwrap_or_else(|_| version.pre.clone());
        Version { pre, build: BuildMetadata::EMPTY, ..version.clone() }
    }
}

/// The version before all others.
fn lowest() -> Version {
    Version { pre: Prerelease::new("0").unwrap_or(Prerelease::EMPTY), ..Version::new(0, 0, 0) }
}

fn order(left: &Version, right: &Version) -> Ordering {
    versions::compare(&Ecosystem::Cargo, &left.to_string(), &right.to_string()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(patched: &[&str], unaffected: &[&str]) -> Vec<String> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let rows = affected(&Versions { patched: owned(patched), unaffected: owned(unaffected) }).expect("read");
        rows.iter()
            .map(|row| {
                format!("{}..{}", row.introduced.as_deref().unwrap_or(""), if let End::Fixed(fixed) = &row.end { fixed } else { "" })
            })
            .collect()
    }

    #[test]
    fn what_is_neither_patched_nor_unaffected_is_affected() {
        assert_eq!(rows(&[], &[]), [".."]);
        assert_eq!(rows(&[">= 1.2.3"], &[]), ["..1.2.3"]);
        assert_eq!(rows(&["^1.2.3", ">= 2.0.5"], &["< 1.0.0"]), ["1.0.0..1.2.3", "2.0.0..2.0.5"]);
        assert_eq!(rows(&["> 1.27.0"], &[]), ["..1.27.1-0"]);
        assert_eq!(rows(&[">= 0.2.23"], &["=0.2.0", "=0.2.1"]), ["..0.2.0", "0.2.1-0..0.2.1", "0.2.2-0..0.2.23"]);
        assert_eq!(rows(&["~0.4.6", ">= 0.5, < 0.6"], &[]), ["..0.4.6", "0.6.0.."]);
        assert_eq!(rows(&[], &["*"]), Vec::<String>::new());
    }

    #[test]
    fn a_file_is_read_and_what_is_wrong_is_told() {
        let text = "```toml\n[advisory]\nid = \"RUSTSEC-2020-0071\"\npackage = \"time\"\ndate = \"2020-11-18\"\ncvss = \"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H\"\n\
            aliases = [\"CVE-2020-26235\"]\n\n[versions]\npatched = [\">= 0.2.23\"]\n```\n\n# Potential segfault\n\ntext\n";
        assert!(is_advisory(text));
        let advisory = read(text).expect("read").expect("not withdrawn");
        assert_eq!((advisory.id.as_str(), advisory.summary.as_str()), ("RUSTSEC-2020-0071", "Potential segfault"));
        assert!(advisory.affected[0].hits("0.1.43").expect("a version").is_some());
        assert!(read(&text.replace("[versions]", "withdrawn = \"2021-01-01\"\n[versions]")).expect("read").is_none());
        assert!(read(&text.replace(">= 0.2.23", "nonsense")).expect_err("no requirement").contains("nonsense"));
        assert!(read("```toml\nid = 1\n").is_err());
    }
}
