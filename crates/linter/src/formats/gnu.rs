//! The form that editors read: `program:file:line: CODE severity: message`.

use super::tty::printable;
use super::{Report, column, file, is_parse_error, line, text};
use std::fmt::Write;

pub(super) fn render(report: &Report<'_>) -> String {
    report.findings.iter().fold(String::new(), |mut out, finding| {
        let place = if is_parse_error(finding) { format!("{}:{}", line(finding), column(finding)) } else { line(finding).to_string() };
        let (file, text) = (printable(file(finding)), printable(&text(finding)));
        let _ = writeln!(out, "wharf:{file}:{place}: {} {}: {text}", finding.rule, finding.severity);
        out
    })
}
