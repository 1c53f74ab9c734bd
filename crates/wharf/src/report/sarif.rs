//! SARIF 2.1.0: every finding of a run at its place.

use super::{Recorded, findings};
use base::{Finding, Problem, Severity};
use serde_json::{Value, json};

pub(super) fn write(recorded: &Recorded, problem: Option<&Problem>) -> String {
    let findings = findings(recorded, problem);
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.into_iter().map(|rule| json!({"id": rule})).collect();
    let driver = json!({"name": "Wharf", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    let results: Vec<Value> = findings.into_iter().map(result).collect();
    // What stopped the run may lie in no file (section 3.20.21).
    let notifications: Vec<Value> = problem.iter().map(|problem| json!({"level": "error", "message": {"text": problem.message}})).collect();
    let invocation = json!({"executionSuccessful": problem.is_none(), "toolExecutionNotifications": notifications});
    json!({"$schema": "http://json.schemastore.org/sarif-2.1.0", "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "invocations": [invocation], "results": results}]})
    .to_string()
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info | Severity::Style => "note",
    };
    let parts = [&finding.message, &finding.help];
    let text: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let mut result = json!({"ruleId": finding.rule, "level": level, "message": {"text": text.join("; ")}});
    if let Some(file) = &finding.place.file {
        let mut physical = json!({"artifactLocation": {"uri": uri(file)}});
        if let Some(line) = finding.place.line.filter(|line| *line > 0) {
            physical["region"] = json!({"startLine": line, "startColumn": finding.place.column.unwrap_or(1).max(1)});
        }
        result["locations"] = json!([{"physicalLocation": physical}]);
    } else if let Some(object) = &finding.place.object {
        result["locations"] = json!([{"logicalLocations": [{"fullyQualifiedName": object, "kind": "resource"}]}]);
    }
    result
}

/// A path as a relative reference (RFC 3986 section 2).
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
