//! One array of objects with hadolint's six fields.

use super::{Report, column, file, line, text};
use serde_json::{Value, json};

pub(super) fn render(report: &Report<'_>) -> String {
    let object = |finding| {
        let finding: &base::Finding = finding;
        json!({
            "code": finding.rule,
            "column": column(finding),
            "file": file(finding),
            "level": finding.severity.name(),
            "line": line(finding),
            "message": text(finding),
        })
    };
    Value::Array(report.findings.iter().map(object).collect()).to_string()
}
