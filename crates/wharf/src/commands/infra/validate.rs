//! `wharf infra validate`.

use super::declared::{Place, Wanted};
use crate::output::Paint;
use base::{Finding, Problem, ProblemKind, Severity};
use serde_json::json;
use std::process::ExitCode;

pub(super) fn run(place: &Place<'_>, only: &[String], offline: bool) -> Result<ExitCode, Problem> {
    let output = &place.context.output;
    let mut findings = Vec::new();
    let mut templates = Vec::new();
    for name in place.names(only)? {
        let entry = match place.entry(&name, Wanted::default()) {
            Ok(entry) => entry,
            // What cannot even be read is told with all the others.
            Err(problem) if problem.kind == ProblemKind::Work => {
                findings.extend(problem.findings);
                continue;
            }
            Err(problem) => return Err(problem),
        };
        let mut own = entry.provider.check();
        if !offline && own.iter().all(|finding| finding.severity != Severity::Error) {
            own.extend(place.tokio.block_on(entry.provider.validate()).map_err(Problem::from)?);
        }
        let own: Vec<Finding> = own.into_iter().map(|finding| entry.listener.found(finding)).collect();
        templates.push(json!({"name": name, "template": entry.settings.template, "findings": own}));
        if own.is_empty() && !output.is_json() {
            let by = if offline { "here; the cloud was not asked" } else { "here and by the cloud" };
            output.say(&format!("{} {} is sound, {by}", output.paint(Paint::Green, "+"), entry.settings.template));
        }
        findings.extend(own);
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        let count = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        let message = format!("the templates have {count} error{}", if count == 1 { "" } else { "s" });
        return Err(Problem::new(ProblemKind::Work, message).with_findings(findings));
    }
    findings.iter().for_each(|finding| output.finding(finding));
    if output.is_json() {
        output.json(&json!({"templates": templates}));
    }
    Ok(ExitCode::SUCCESS)
}
