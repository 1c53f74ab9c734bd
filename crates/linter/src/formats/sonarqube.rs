//! SonarQube's generic issues.

use super::{Report, column, file, is_parse_error, line, text};
use base::{Finding, Severity};
use serde_json::{Value, json};

pub(super) fn render(report: &Report<'_>) -> String {
    json!({ "issues": report.findings.iter().map(issue).collect::<Vec<Value>>() }).to_string()
}

fn issue(finding: &Finding) -> Value {
    let (severity, kind) = match finding.severity {
        _ if is_parse_error(finding) => ("BLOCKER", "BUG"),
        Severity::Error => ("CRITICAL", "BUG"),
        Severity::Warning => ("MAJOR", "CODE_SMELL"),
        Severity::Info => ("MINOR", "CODE_SMELL"),
        Severity::Style => ("INFO", "CODE_SMELL"),
    };
    // SonarQube counts columns from 0 and refuses an empty range.
    let (line, end) = (line(finding), column(finding));
    let range = json!({ "startLine": line, "endLine": line, "startColumn": end.saturating_sub(1), "endColumn": end });
    let location = json!({ "filePath": file(finding), "message": text(finding), "textRange": range });
    json!({ "engineId": "Hadolint", "primaryLocation": location, "ruleId": finding.rule, "severity": severity, "type": kind })
}
