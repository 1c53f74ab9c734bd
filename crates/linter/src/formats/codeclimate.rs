//! Code Climate's issues, each ended by a zero byte; GitLab wants one array, and a fingerprint in each.

use super::{Report, column, file, is_parse_error, line, text};
use base::{Finding, Severity};
use serde_json::{Value, json};

pub(super) fn render(report: &Report<'_>) -> String {
    report.findings.iter().map(|finding| format!("{}\0", issue(finding))).collect()
}

pub(super) fn render_gitlab(report: &Report<'_>) -> String {
    let with_fingerprint = |finding| {
        let mut issue = issue(finding);
        issue["fingerprint"] = Value::String(fingerprint(finding));
        issue
    };
    Value::Array(report.findings.iter().map(with_fingerprint).collect()).to_string()
}

fn issue(finding: &Finding) -> Value {
    let (path, line) = (file(finding), line(finding));
    let location = if is_parse_error(finding) {
        let position = json!({ "column": column(finding), "line": line });
        json!({ "path": path, "positions": { "begin": position, "end": position } })
    } else {
        json!({ "path": path, "lines": { "begin": line, "end": line } })
    };
    json!({
        "type": "issue",
        "categories": ["Bug Risk"],
        "check_name": finding.rule,
        "description": text(finding),
        "location": location,
        "severity": severity(finding.severity),
    })
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "blocker",
        Severity::Warning => "major",
        Severity::Info => "info",
        Severity::Style => "minor",
    }
}

/// The same finding has the same fingerprint in every run: FNV-1a, 128 bits.
fn fingerprint(finding: &Finding) -> String {
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    let parts = format!("{}\0{}\0{}\0{}", finding.rule, file(finding), line(finding), finding.message);
    let hash =
        parts.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash: u128, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}
