//! Checkstyle's XML, version 4.3.

use super::{Report, by_file, column, line, text};
use base::xml::escaped as xml;
use std::fmt::Write;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><checkstyle version=\"4.3\">");
    for (file, findings) in by_file(report) {
        if findings.is_empty() {
            let _ = write!(out, "<file name=\"{}\"/>", xml(file));
            continue;
        }
        let _ = write!(out, "<file name=\"{}\">", xml(file));
        for finding in findings {
            let (column, line, severity, rule) = (column(finding), line(finding), finding.severity, xml(&finding.rule));
            let message = xml(&text(finding));
            let _ =
                write!(out, "<error column=\"{column}\" line=\"{line}\" message=\"{message}\" severity=\"{severity}\" source=\"{rule}\"/>");
        }
        out.push_str("</file>");
    }
    out.push_str("</checkstyle>");
    out
}
