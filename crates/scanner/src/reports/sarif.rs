//! SARIF 2.1.0, with the properties that code hosts sort by.

use super::{Shown, page};
use crate::gate::{self, LetThrough};
use crate::matching::Vulnerability;
use crate::severity::Level;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub(super) fn render(shown: &Shown<'_>) -> String {
    let judged = shown.judged;
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    let mut results = Vec::new();
    for found in judged.counted.iter().chain(&judged.others) {
        rules.entry(&found.id).or_insert_with(|| rule(found));
        results.push(result(found));
    }
    for LetThrough { vulnerability, by } in &judged.ignored {
        rules.entry(&vulnerability.id).or_insert_with(|| rule(vulnerability));
        let mut result = result(vulnerability);
        result["suppressions"] = json!([{"kind": "external", "justification": by.reason}]);
        results.push(result);
    }
    let driver =
        json!({"name": "Wharf", "fullName": "wharf scan", "version": shown.version, "rules": rules.into_values().collect::<Vec<_>>()});
    // What could not be judged is no result, but says how far the results reach (3.20.21).
    let notifications: Vec<Value> = shown.report.unjudged.iter().map(notification).collect();
    let invocation = json!({"executionSuccessful": judged.unjudged.is_empty(), "toolExecutionNotifications": notifications});
    let run = json!({"results": results, "invocations": [invocation], "tool": {"driver": driver}});
    json!({"$schema": "http://json.schemastore.org/sarif-2.1.0", "version": "2.1.0", "runs": [run]}).to_string()
}

fn rule(found: &Vulnerability) -> Value {
    let summary = if found.summary.is_empty() { found.id.clone() } else { found.summary.clone() };
    // A number even where there is none, for hosts sort by nothing else: the middle of the level.
    let score = found.severity.score.unwrap_or(match found.severity.level {
        Level::Critical => 9.5,
        Level::High | Level::Unknown => 8.0,
        Level::Medium => 5.5,
        Level::Low => 2.0,
    });
    json!({
        "id": found.id,
        "shortDescription": {"text": summary},
        "helpUri": page(&found.id),
        "properties": {
            "security-severity": format!("{score:.1}"),
            "severity-source": found.severity.source,
            "tags": ["security", "vulnerability", found.severity.level.name()],
            "aliases": found.aliases,
            "upstream": found.upstream,
        },
    })
}

const fn level(severity: base::Severity) -> &'static str {
    match severity {
        base::Severity::Error => "error",
        base::Severity::Warning => "warning",
        base::Severity::Info | base::Severity::Style => "note",
    }
}

/// What could not be judged (3.58).
fn notification(told: &base::Finding) -> Value {
    let mut notification = json!({"descriptor": {"id": told.rule}, "level": level(told.severity), "message": {"text": told.message}});
    if let Some(file) = told.place.file.as_deref().filter(|file| !file.is_empty()) {
        let mut physical = json!({"artifactLocation": {"uri": uri(file)}});
        if let Some(line) = told.place.line {
            physical["region"] = json!({"startLine": line});
        }
        notification["locations"] = json!([{"physicalLocation": physical}]);
    }
    notification
}

fn result(found: &Vulnerability) -> Value {
    let told = gate::finding(found);
    let package = &found.package;
    let mut physical = json!({"artifactLocation": {"uri": uri(&package.file)}});
    if let Some(line) = package.line {
        physical["region"] = json!({"startLine": line});
    }
    let print = Sha256::digest(format!("{}\0{}\0{}\0{}", found.id, package.ecosystem, package.package, package.file));
    json!({
        "ruleId": found.id,
        "level": level(told.severity),
        "message": {"text": format!("{}; {}", told.message, told.help)},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"wharf/v1": base::ids::hex(&print)},
    })
}

/// A path as a relative reference (RFC 3986 section 2): what may not stand there is written in percent form.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
