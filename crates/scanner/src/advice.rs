//! Which of the known bases removes how many: an image's base beside others, and the line of the Dockerfile that names it.

use crate::matching::Report;
use crate::severity::Level;
use dockerfile::parse;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where a Dockerfile names the base of what it builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseLine {
    /// The line, from 1.
    pub line: u32,
    /// The name as written.
    pub image: String,
    #[serde(skip)]
    span: (usize, usize),
}

/// The line that names the base of a target; of the last stage where none is named. Stages that stand on other stages are followed; none where
/// the base is `scratch`, or is put together of arguments.
pub fn base_line(source: &str, target: Option<&str>) -> Option<BaseLine> {
    let parsed = parse(source);
    let stages = parsed.stages();
    let mut stage = match target {
        Some(target) => stages.find(target)?,
        None => stages.stages.last()?,
    };
    while let Some(below) = stages.find_before(&stage.from.image.text, stage.index) {
        stage = below;
    }
    let image = &stage.from.image;
    let is_plain = image.text != "scratch" && !image.text.contains(['$', '"', '\'', '\\']) && image.span.of(source) == image.text;
    is_plain.then(|| BaseLine {
        line: parsed.locate(image.span.start).0,
        image: image.text.clone(),
        span: (image.span.start, image.span.end),
    })
}

/// The same Dockerfile on another base.
pub fn with_base(source: &str, line: &BaseLine, image: &str) -> Option<String> {
    Some(format!("{}{image}{}", source.get(..line.span.0)?, source.get(line.span.1..)?))
}

/// A base and what is known against it.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// Its name.
    pub name: &'a str,
    /// What was found in it.
    pub report: &'a Report,
}

/// How another base compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The other base.
    pub base: String,
    /// How many vulnerabilities it has.
    pub has: Count,
    /// How many of this one's it does not have.
    pub removes: usize,
    /// How many it has that this one has not.
    pub adds: usize,
}

/// Vulnerabilities by level, each counted once however many packages of one source have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// All.
    pub all: usize,
    /// Those of each level.
    pub levels: BTreeMap<String, usize>,
}

impl Count {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let distinct: BTreeSet<(Level, &str)> =
            report.vulnerabilities.iter().map(|found| (found.severity.level, found.id.as_str())).collect();
        let mut levels = BTreeMap::new();
        for (level, _) in &distinct {
            *levels.entry(level.name().to_owned()).or_default() += 1;
        }
        Self { all: distinct.len(), levels }
    }

    /// `14 (2 critical, 12 low)`.
    pub fn words(&self) -> String {
        let levels: Vec<String> =
            Level::ALL.into_iter().filter_map(|level| Some(format!("{} {level}", self.levels.get(level.name())?))).collect();
        if levels.is_empty() { "none".to_owned() } else { format!("{} ({})", self.all, levels.join(", ")) }
    }

    /// What makes one better than another: fewer of the worst first.
    fn weight(&self) -> Vec<usize> {
        Level::ALL.into_iter().map(|level| self.levels.get(level.name()).copied().unwrap_or(0)).collect()
    }
}

impl Base<'_> {
    /// Whether what was found says how good it is: something of it was judged, and nothing could not be looked at. Of a base that the index
    /// knows nothing of, nothing is known either.
    pub fn is_known(&self) -> bool {
        self.report.packages > 0 && self.report.gaps().next().is_none()
    }
}

/// The bases that are better than the one that is used, best first. Only those are compared that are known; none where the used one is not.
pub fn advise(used: Base<'_>, others: &[Base<'_>]) -> Vec<Advice> {
    if !used.is_known() {
        return Vec::new();
    }
    let (own, own_count) = (ids(used.report), Count::of(used.report));
    let mut advice: Vec<Advice> = others
        .iter()
        .filter(|other| other.name != used.name && other.is_known())
        .map(|other| {
            let theirs = ids(other.report);
            let gone = used.report.vulnerabilities.iter().filter(|found| !found.is_covered(|id| theirs.contains(id)));
            let new = other.report.vulnerabilities.iter().filter(|found| !found.is_covered(|id| own.contains(id)));
            let distinct = |found: &mut dyn Iterator<Item = &crate::matching::Vulnerability>| {
                found.map(|found| &found.id).collect::<BTreeSet<_>>().len()
            };
            Advice {
                base: other.name.to_owned(),
                has: Count::of(other.report),
                removes: distinct(&mut gone.into_iter()),
                adds: distinct(&mut new.into_iter()),
            }
        })
        .filter(|advice| advice.has.weight() < own_count.weight() && advice.removes > 0)
        .collect();
    advice.sort_by(|a, b| a.has.weight().cmp(&b.has.weight()).then_with(|| a.base.cmp(&b.base)));
    advice
}

fn ids(report: &Report) -> BTreeSet<String> {
    report.known().into_iter().map(|(id, ..)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ecosystem;
    use crate::matching::tests::{osv, package, scanned};

    #[test]
    fn the_base_of_a_target_is_found_through_its_stages() {
        let source = "ARG V=1\nFROM rust:1 AS build\nRUN x\nFROM --platform=linux/amd64 \\\n  debian:12.0 AS base\nFROM base\nCOPY --from=build /a /a\n";
        let line = base_line(source, None).expect("a base");
        assert_eq!((line.line, line.image.as_str()), (5, "debian:12.0"));
        let mended = with_base(source, &line, "debian:12.8").expect("written");
        assert_eq!(mended, source.replace("debian:12.0", "debian:12.8"));
        assert_eq!(base_line(source, Some("build")).map(|line| line.line), Some(2));
        for none in ["FROM scratch\n", "FROM debian:${V}\n", "", "RUN x\n"] {
            assert_eq!(base_line(none, None), None, "{none}");
        }
        assert_eq!(base_line(source, Some("nowhere")), None);
    }

    #[test]
    fn the_base_that_has_least_comes_first_and_worse_ones_not_at_all() {
        let debian = || Ecosystem::Debian("12".to_owned());
        let documents = [
            osv("CVE-1", &[], ("Debian:12", "a"), "2"),
            osv("CVE-2", &[], ("Debian:12", "a"), "3"),
            osv("CVE-3", &[], ("Debian:12", "b"), "9"),
        ];
        let of = |a: &str, b: &[&str]| {
            let more = b.iter().map(|version| package(debian(), "b", version));
            scanned(std::iter::once(package(debian(), "a", a)).chain(more).collect(), &documents)
        };
        let (old, middle, newest, worse) = (of("1", &[]), of("2", &[]), of("3", &[]), of("1", &["1"]));
        let base = |name, report| Base { name, report };
        let others = [base("middle", &middle), base("worse", &worse), base("newest", &newest), base("old", &old)];
        let advice = advise(base("old", &old), &others);
        let told: Vec<(&str, usize, usize, String)> =
            advice.iter().map(|advice| (advice.base.as_str(), advice.removes, advice.adds, advice.has.words())).collect();
        assert_eq!(told, [("newest", 2, 0, "none".to_owned()), ("middle", 1, 0, "1 (1 unknown)".to_owned())]);
    }

    #[test]
    fn a_base_of_which_nothing_is_known_is_no_better() {
        let of = |release: &str, version: &str| {
            let debian = Ecosystem::Debian(release.to_owned());
            scanned(vec![package(debian, "a", version)], &[osv("CVE-1", &[], ("Debian:12", "a"), "2")])
        };
        let (used, good, old, testing) = (of("12", "1"), of("12", "2"), of("8", "1"), of("", "1"));
        let mut unread = of("12", "2");
        unread.unjudged.push(crate::tree::unread("var/lib/dpkg/status", "it cannot be read"));
        let empty = scanned(Vec::new(), &[osv("CVE-1", &[], ("Debian:12", "a"), "2")]);
        let base = |name, report| Base { name, report };
        let others = [base("old", &old), base("testing", &testing), base("unread", &unread), base("empty", &empty), base("good", &good)];
        let told: Vec<String> = advise(base("used", &used), &others).into_iter().map(|advice| advice.base).collect();
        assert_eq!(told, ["good"]);
        // Nor is anything better than what was not looked at.
        let mut blind = of("12", "1");
        blind.unjudged.push(crate::tree::unread("x", "it cannot be read"));
        assert_eq!(advise(base("used", &blind), &others), []);
    }
}
