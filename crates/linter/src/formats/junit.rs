//! JUnit's XML: a suite for each file, a failed case for each finding.

use super::{Report, by_file, column, file, is_parse_error, line, text};
use base::Finding;
use base::xml::escaped as xml;
use std::fmt::Write;

pub(super) fn render(report: &Report<'_>) -> String {
    let version = xml(report.version);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites id=\"hadolint\" name=\"wharf lint\" time=\"0\">");
    for (name, findings) in by_file(report) {
        let errors = findings.iter().filter(|finding| is_parse_error(finding)).count();
        let (name, failures) = (xml(name), findings.len());
        let _ = write!(
            out,
            "<testsuite errors=\"{errors}\" failures=\"{failures}\" id=\"hadolint\" name=\"Wharf {version}\" package=\"{name}\" time=\"0\">"
        );
        findings.into_iter().for_each(|finding| case(&mut out, finding));
        out.push_str("</testsuite>");
    }
    out.push_str("</testsuites>");
    out
}

fn case(out: &mut String, finding: &Finding) {
    let (rule, severity, text) = (xml(&finding.rule), finding.severity, xml(&text(finding)));
    let (file, line, column) = (xml(file(finding)), line(finding), column(finding));
    let (id, label) = if is_parse_error(finding) {
        ("hadolint.error".to_owned(), "Parse Error")
    } else {
        (format!("hadolint.rule.{rule}"), severity.name())
    };
    let _ = write!(
        out,
        "<testcase id=\"{id}\" name=\"{rule}\" classname=\"{file}\" time=\"0\"><failure id=\"{rule}\" message=\"{text}\" type=\"{severity}\">File: {file}\nLine: {line}\nColumn: {column}\n{label}: {text}\n</failure></testcase>"
    );
}
