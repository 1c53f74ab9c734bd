//! What is known against packages, as a table: of a scan in a run, and of an image.

use super::states;
use crate::text;
use maud::{Markup, html};
use scanner::matching::Vulnerability;
use scanner::severity::Level;

/// One vulnerability of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// The level's name.
    pub(super) severity: &'a str,
    pub(super) id: &'a str,
    /// The id that people know it by, where it is another.
    pub(super) cve: Option<&'a str>,
    pub(super) summary: &'a str,
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) fixed: Option<&'a str>,
    /// What its vendor does about it.
    pub(super) status: &'a str,
    /// The layer's number, from 1.
    pub(super) layer: Option<u64>,
    pub(super) file: &'a str,
    /// Why it is let through.
    pub(super) ignored: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// A row of a vulnerability in an image of these layers.
    pub(super) fn of(found: &'a Vulnerability, layers: &[&str]) -> Self {
        let layer = found.package.layer.as_deref().and_then(|id| layers.iter().position(|layer| *layer == id));
        Self {
            severity: found.severity.level.name(),
            id: &found.id,
            cve: found.cve().filter(|cve| *cve != found.id),
            summary: &found.summary,
            package: &found.package.package,
            version: &found.package.version,
            fixed: found.fixed.as_deref(),
            status: found.status.words(),
            layer: layer.map(|at| at as u64 + 1),
            file: &found.package.file,
            ignored: None,
        }
    }
}

/// How many there are of each severity, the worst first.
pub(super) fn counts<'a>(severities: impl Iterator<Item = &'a str> + Clone) -> Markup {
    html! {
        ul.counts aria-label="By severity" {
            @for level in Level::ALL {
                @let count = severities.clone().filter(|severity| *severity == level.name()).count();
                @if count > 0 { li { (states::word(level.name())) " " strong { (count) } } }
            }
        }
    }
}

/// The table; `name` is what it is called aloud.
pub(super) fn table(name: &str, rows: &[Row<'_>]) -> Markup {
    html! {
        div.scroll role="region" aria-label=(name) tabindex="0" {
            table.list.known {
                thead { tr { @for name in ["Severity", "Id", "Package", "Fixed in", "Where"] { th scope="col" { (name) } } } }
                tbody { @for row in rows { (one(row)) } }
            }
        }
    }
}

fn one(row: &Row<'_>) -> Markup {
    html! {
        tr {
            td { (states::word(row.severity)) }
            th scope="row" {
                bdi { (text::line(row.id, 60)) }
                @if let Some(cve) = row.cve { div.meta { (text::line(cve, 60)) } }
                @if !row.summary.is_empty() { div.meta { bdi { (text::line(row.summary, 160)) } } }
                @if let Some(reason) = row.ignored { div.meta { (states::word("ignored")) " " bdi { (text::line(reason, 160)) } } }
            }
            td { bdi { (text::line(row.package, 80)) } div.meta { code { (text::line(row.version, 60)) } } }
            td { @match row.fixed { Some(fixed) => code { (text::line(fixed, 60)) }, None => span.meta { (text::line(row.status, 60)) } } }
            td {
                @if let Some(layer) = row.layer { "layer " (layer) }
                @if !row.file.is_empty() { div.meta { code { (text::line(row.file, 80)) } } }
            }
        }
    }
}
