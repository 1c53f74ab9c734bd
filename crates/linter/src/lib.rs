//! Rules over Dockerfiles: hadolint's codes, severities and pragmas; a parse error hides nothing else.
//!
//! [`lint`] gives the findings of one file, [`fix`] what a machine can mend, [`formats`] renders them in hadolint's shapes.

pub mod formats;
mod pragma;
mod rule;
mod rules;
pub mod shell;

pub use rule::{Edit, Rule, RunUnit, Sink, Unit};
pub use rules::{RULES, rule};

use base::{Finding, Severity};
use dockerfile::Parsed;

/// What the user wants otherwise than by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Codes that are not to be reported.
    pub ignored: Vec<String>,
    /// Codes with another weight than their rule's.
    pub severities: Vec<(String, Severity)>,
    /// Whether pragmas in the file count for nothing.
    pub disregard_pragmas: bool,
}

/// All findings of a Dockerfile, by line; its parse errors are among them as `DL1000`.
pub fn lint(file: &str, source: &str, options: &Options) -> Vec<Finding> {
    lint_parsed(file, &dockerfile::parse(source), options)
}

/// The same for a file that is parsed already.
pub fn lint_parsed(file: &str, parsed: &Parsed, options: &Options) -> Vec<Finding> {
    let unit = Unit::new(file, parsed);
    let mut findings: Vec<Finding> = parsed.errors.iter().map(|error| error.finding(file)).collect();
    for rule in RULES {
        (rule.check)(&unit, &mut Sink::new(rule, file, &mut findings));
    }
    let pragmas = pragma::Pragmas::of(parsed);
    findings.retain(|finding| !options.ignored.contains(&finding.rule) && (options.disregard_pragmas || !pragmas.silence(finding)));
    for finding in &mut findings {
        if let Some((_, severity)) = options.severities.iter().find(|(code, _)| *code == finding.rule) {
            finding.severity = *severity;
        }
    }
    findings.sort_by(|left, right| (&left.place, &left.rule).cmp(&(&right.place, &right.rule)));
    findings
}

/// The source with everything mended that a machine can mend, and which findings that were.
pub fn fix(file: &str, source: &str, options: &Options) -> (String, Vec<Finding>) {
    let parsed = dockerfile::parse(source);
    let unit = Unit::new(file, &parsed);
    let edit = |finding: Finding| Some((rule(&finding.rule)?.fix?(&unit, &finding)?, finding));
    let mut edits: Vec<(Edit, Finding)> = lint_parsed(file, &parsed, options).into_iter().filter_map(edit).collect();
    edits.sort_by_key(|(edit, _)| edit.span);
    let (mut text, mut at, mut fixed) = (String::new(), 0, Vec::new());
    for (edit, finding) in edits {
        if let (true, Some(before)) = (edit.span.start >= at, source.get(at..edit.span.start)) {
            text.push_str(before);
            text.push_str(&edit.text);
            at = edit.span.end;
            fixed.push(finding);
        }
    }
    text.push_str(source.get(at..).unwrap_or_default());
    (text, fixed)
}

/// Whether a finding is at least as heavy as the threshold.
pub fn reaches(finding: &Finding, threshold: Severity) -> bool {
    finding.severity <= threshold
}
