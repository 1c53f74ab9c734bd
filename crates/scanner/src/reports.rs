//! Reports in the shapes that people and other tools read: each a file in `reports/` and a line in [`FORMATS`].

mod json;
mod junit;
mod sarif;
mod sboms;
mod table;

use crate::gate::{Gate, Judged};
use crate::matching::Report;
use crate::severity::Level;

pub use sboms::{add_to_cyclonedx, add_to_spdx};

/// What is to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What was found.
    pub report: &'a Report,
    /// What the gate made of it.
    pub judged: &'a Judged,
    /// The gate.
    pub gate: &'a Gate,
    /// How many columns the reader has.
    pub width: usize,
    /// Whether colours are wanted.
    pub colored: bool,
    /// The version that machine formats name.
    pub version: &'a str,
}

/// A shape of a report.
pub struct Format {
    /// Its name behind `--format`.
    pub name: &'static str,
    /// Writes it, without a line break at the end.
    pub render: fn(&Shown<'_>) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[
    Format { name: "table", render: table::render },
    Format { name: "json", render: json::render },
    Format { name: "sarif", render: sarif::render },
    Format { name: "junit", render: junit::render },
];

/// The format of that name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// How many findings there are of each level, worst first, and how many of all a version mends.
pub fn summary(report: &Report, judged: &Judged) -> String {
    let shown: Vec<_> = judged.counted.iter().chain(&judged.others).collect();
    let packages = if report.packages == 1 { "1 package".to_owned() } else { format!("{} packages", report.packages) };
    let ignored = match judged.ignored.len() {
        0 => String::new(),
        count => format!(", {count} ignored"),
    };
    let left = not_judged([report]);
    if shown.is_empty() {
        return format!("{packages}, nothing known against them{ignored}{left}");
    }
    let count = |level: Level| shown.iter().filter(|found| found.severity.level == level).count();
    let levels: Vec<String> =
        Level::ALL.into_iter().filter(|level| count(*level) > 0).map(|level| format!("{} {level}", count(level))).collect();
    let fixable = shown.iter().filter(|found| found.fixed.is_some()).count();
    let what = if shown.len() == 1 { "vulnerability" } else { "vulnerabilities" };
    format!("{packages}, {} {what} ({}), {fixable} with a fix{ignored}{left}", shown.len(), levels.join(", "))
}

/// What reports say nothing about, to stand behind what they say: `, 3 packages not judged, 1 file not read, 2 packages for development left
/// out`; empty where there is nothing.
pub fn not_judged<'r>(reports: impl IntoIterator<Item = &'r Report>) -> String {
    let (mut packages, mut unread, mut development) = (0, 0, 0);
    for report in reports {
        packages += report.unjudged_packages;
        development += report.development_packages;
        unread += report.gaps().filter(|told| told.rule != "unjudged").count();
    }
    let told = |count: usize, one: &str, many: &str| match count {
        0 => String::new(),
        1 => format!(", 1 {one}"),
        count => format!(", {count} {many}"),
    };
    told(packages, "package not judged", "packages not judged")
        + &told(unread, "file not read", "files not read")
        + &told(development, "package for development left out", "packages for development left out")
}

/// A page about an id.
fn page(id: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-._~".contains(*c);
    let id: String = id.chars().filter(plain).collect();
    if id.starts_with("CVE-") { format!("https://www.cve.org/CVERecord?id={id}") } else { format!("https://osv.dev/vulnerability/{id}") }
}

#[cfg(test)]
mod tests;
