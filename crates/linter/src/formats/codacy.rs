//! Codacy's objects, one a line.

use super::{Report, file, line, text};
use serde_json::json;

pub(super) fn render(report: &Report<'_>) -> String {
    let object = |finding| {
        let finding: &base::Finding = finding;
        let object = json!({ "filename": file(finding), "line": line(finding), "message": text(finding), "patternId": finding.rule });
        format!("{object}\n")
    };
    report.findings.iter().map(object).collect()
}
