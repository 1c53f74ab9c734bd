//! Findings, the heaviest first, each with its place and the lines that it points at.

use super::evidence;
use crate::fields::link;
use crate::text;
use base::{Finding, Severity};
use ci::StageRun;
use maud::{Markup, html};
use std::borrow::Cow;

/// Findings on one page.
const PER_PAGE: usize = 25;
const SEVERITIES: [Severity; 4] = [Severity::Error, Severity::Warning, Severity::Info, Severity::Style];

/// All that a stage found, the heaviest first: told one by one, else as its detail has them.
pub(super) fn of_stage(stage: &StageRun) -> Cow<'_, [Finding]> {
    let mut found = if stage.findings.is_empty() { in_detail(&stage.detail) } else { stage.findings.clone() };
    found.sort_by_key(|finding| finding.severity);
    found.into()
}

fn in_detail(detail: &serde_json::Value) -> Vec<Finding> {
    let kept = detail.get("findings").and_then(serde_json::Value::as_array).into_iter().flatten().take(500);
    kept.filter_map(|finding| serde_json::from_value(finding.clone()).ok()).collect()
}

/// The findings of one page, from 0; `path` is the page's own.
pub(super) fn list(found: &[Finding], page: usize, path: &str) -> Markup {
    let first = page.saturating_mul(PER_PAGE).min(found.len());
    let here = found.iter().skip(first).take(PER_PAGE);
    let last = (first + PER_PAGE).min(found.len());
    let more = |page: usize| link(path, &[("findings", Some(page.to_string().as_str()))]);
    html! {
        div.findings {
            ul.counts aria-label="Findings by severity" {
                @for severity in SEVERITIES {
                    @let count = found.iter().filter(|finding| finding.severity == severity).count();
                    @if count > 0 { li { (mark(severity)) " " strong { (count) } } }
                }
            }
            @for finding in here { (one(finding)) }
            @if found.len() > PER_PAGE {
                nav.pager aria-label="Pages of findings" {
                    @if first > 0 { a href=(more(page.saturating_sub(1))) { "Previous" } }
                    span { (first + 1) " to " (last) " of " (found.len()) }
                    @if last < found.len() { a href=(more(page + 1)) { "Next" } }
                }
            }
        }
    }
}

fn one(finding: &Finding) -> Markup {
    let place = finding.place.to_string();
    html! {
        article class={ "finding " (finding.severity.name()) } {
            p.what {
                (mark(finding.severity)) " " code { (text::name(&finding.rule)) } " "
                @if !place.is_empty() { bdi.place { (text::line(&place, 200)) } }
            }
            p { bdi { (text::sentence(&finding.message)) } }
            @if !finding.help.is_empty() { p.hint { "Next: " bdi { (text::sentence(&finding.help)) } } }
            (evidence::shown(&finding.evidence, finding.place.line))
        }
    }
}

fn mark(severity: Severity) -> Markup {
    let (class, sign) = match severity {
        Severity::Error => ("failed", "✕"),
        Severity::Warning => ("warned", "!"),
        Severity::Info => ("running", "i"),
        Severity::Style => ("unchanged", "~"),
    };
    html! { span class={ "badge " (class) } { span aria-hidden="true" { (sign) } " " (severity.name()) } }
}

/// How many there are of each severity, in words.
pub(super) fn counted(found: &[Finding]) -> String {
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let words = SEVERITIES.into_iter().map(|severity| (count(severity), severity)).filter(|(count, _)| *count > 0);
    words.map(|(count, severity)| format!("{count} {severity}{}", if count == 1 { "" } else { "s" })).collect::<Vec<_>>().join(", ")
}
