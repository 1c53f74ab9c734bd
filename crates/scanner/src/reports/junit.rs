//! JUnit's XML: a suite for each file, a case for each finding; what counts at the gate has failed, what is ignored is skipped.

use super::Shown;
use crate::gate;
use crate::matching::Vulnerability;
use base::xml::escaped as xml;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn render(shown: &Shown<'_>) -> String {
    let judged = shown.judged;
    let mut suites: BTreeMap<String, (Vec<String>, usize, usize)> = BTreeMap::new();
    let mut case = |found: &Vulnerability, inner: String, failed: bool, skipped: bool| {
        let suite = suites.entry(file_of(shown, found).to_owned()).or_default();
        let name = xml(&format!("{} in {} {}", found.id, found.package.package, found.package.version));
        suite
            .0
            .push(format!("<testcase classname=\"{}\" name=\"{name}\" time=\"0\">{inner}</testcase>", xml(&found.package.ecosystem.osv())));
        suite.1 += usize::from(failed);
        suite.2 += usize::from(skipped);
    };
    for found in &judged.counted {
        let told = gate::finding(found);
        let (message, kind) = (xml(&told.message), found.severity.level);
        case(found, format!("<failure message=\"{message}\" type=\"{kind}\">{}</failure>", xml(&told.help)), true, false);
    }
    for found in &judged.others {
        let told = gate::finding(found);
        case(found, format!("<system-out>{}</system-out>", xml(&format!("{}; {}", told.message, told.help))), false, false);
    }
    for ignored in &judged.ignored {
        case(&ignored.vulnerability, format!("<skipped message=\"{}\"/>", xml(&ignored.by.reason)), false, true);
    }
    if suites.is_empty() {
        suites.insert(
            shown.report.target.name.clone(),
            (vec![format!("<testcase classname=\"scan\" name=\"{}\" time=\"0\"/>", xml(&shown.report.target.name))], 0, 0),
        );
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites name=\"wharf scan\" time=\"0\">");
    for (file, (cases, failed, skipped)) in suites {
        let count = cases.len();
        let _ = write!(
            out,
            "<testsuite name=\"{}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\">{}</testsuite>",
            xml(&file),
            cases.concat()
        );
    }
    out + "</testsuites>"
}

fn file_of<'a>(shown: &Shown<'a>, found: &'a Vulnerability) -> &'a str {
    if found.package.file.is_empty() { &shown.report.target.name } else { &found.package.file }
}
