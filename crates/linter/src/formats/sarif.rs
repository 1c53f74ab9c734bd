//! SARIF 2.1.0.

use super::{Report, column, file, line, text};
use crate::rules::rule;
use base::{Finding, Severity};
use serde_json::{Value, json};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let driver = json!({
        "name": "Wharf",
        "fullName": "wharf lint",
        "version": report.version,
        "rules": codes.into_iter().map(described).collect::<Vec<Value>>(),
    });
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let run = json!({ "defaultSourceLanguage": "dockerfile", "results": results, "tool": { "driver": driver } });
    json!({ "$schema": "http://json.schemastore.org/sarif-2.1.0", "runs": [run], "version": "2.1.0" }).to_string()
}

fn described(code: &str) -> Value {
    let Some(rule) = rule(code) else { return json!({ "id": code }) };
    json!({ "id": code, "shortDescription": { "text": rule.summary }, "help": { "text": rule.page, "markdown": rule.page } })
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info | Severity::Style => "note",
    };
    let (line, column) = (line(finding), column(finding));
    let region = json!({ "startLine": line, "endLine": line, "startColumn": column, "endColumn": column, "sourceLanguage": "dockerfile" });
    let location = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file(finding)) }, "region": region } });
    json!({ "level": level, "locations": [location], "message": { "text": text(finding) }, "ruleId": finding.rule })
}

/// A path as a relative reference (RFC 3986 section 2): what may not stand there is written in percent form.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
