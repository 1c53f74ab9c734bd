//! For people: `file:line CODE severity: message`, parse errors with their column.

use super::{Report, column, file, is_parse_error, line, text};
use base::{Finding, Severity};
use std::fmt::Write;

pub(super) fn render(report: &Report<'_>) -> String {
    report.findings.iter().fold(String::new(), |mut out, finding| {
        let place = if is_parse_error(finding) { format!("{}:{}", line(finding), column(finding)) } else { line(finding).to_string() };
        let _ = writeln!(
            out,
            "{}:{place} {} {}: {}",
            printable(file(finding)),
            finding.rule,
            severity(finding, report.colored),
            printable(&text(finding))
        );
        out
    })
}

fn severity(finding: &Finding, colored: bool) -> String {
    let color = match finding.severity {
        Severity::Error => 91,
        Severity::Warning => 93,
        Severity::Info => 92,
        Severity::Style => 96,
    };
    if colored { format!("\u{1b}[1m\u{1b}[{color}m{}\u{1b}[0m", finding.severity) } else { finding.severity.to_string() }
}

/// Without what a terminal would act on: names and words of a foreign file stand in messages.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
