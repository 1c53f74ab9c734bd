//! JUnit's XML: a suite for each file, a case for each finding; what counts at the gate has failed, what is ignored is skipped. What could not
//! be judged is an error where that counts, and skipped where it does not.

use super::Shown;
use crate::gate;
use crate::matching::Vulnerability;
use base::xml::escaped as xml;
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn render(shown: &Shown<'_>) -> String {
    let judged = shown.judged;
    let mut suites: BTreeMap<String, Suite> = BTreeMap::new();
    let mut case = |found: &Vulnerability, inner: String, failed: bool, skipped: bool| {
        let suite = suites.entry(file_of(shown, found).to_owned()).or_default();
        let name = format!("{} in {} {}", found.id, found.package.package, found.package.version);
        suite.case(&found.package.ecosystem.osv(), &name, &inner);
        suite.failed += usize::from(failed);
        suite.skipped += usize::from(skipped);
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
    for told in &shown.report.unjudged {
        let suite = suites.entry(told.place.file.clone().unwrap_or_else(|| shown.report.target.name.clone())).or_default();
        let (name, message) = (format!("{} {}", told.rule, told.place), xml(&told.message));
        if judged.unjudged.contains(told) {
            suite.errors += 1;
            suite.case(
                "scan",
                name.trim(),
                &format!("<error message=\"{message}\" type=\"{}\">{}</error>", xml(&told.rule), xml(&told.help)),
            );
        } else {
            suite.skipped += 1;
            suite.case("scan", name.trim(), &format!("<skipped message=\"{message}\"/>"));
        }
    }
    if suites.is_empty() {
        suites.entry(shown.report.target.name.clone()).or_default().case("scan", &shown.report.target.name, "");
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites name=\"wharf scan\" time=\"0\">");
    for (file, Suite { cases, failed, errors, skipped }) in suites {
        let count = cases.len();
        let _ = write!(
            out,
            "<testsuite name=\"{}\" tests=\"{count}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\">{}</testsuite>",
            xml(&file),
            cases.concat()
        );
    }
    out + "</testsuites>"
}

/// The cases of one file.
#[derive(Default)]
struct Suite {
    cases: Vec<String>,
    failed: usize,
    errors: usize,
    skipped: usize,
}

impl Suite {
    /// One more; `inner` is XML already.
    fn case(&mut self, class: &str, name: &str, inner: &str) {
        self.cases.push(format!("<testcase classname=\"{}\" name=\"{}\" time=\"0\">{inner}</testcase>", xml(class), xml(name)));
    }
}

fn file_of<'a>(shown: &Shown<'a>, found: &'a Vulnerability) -> &'a str {
    if found.package.file.is_empty() { &shown.report.target.name } else { &found.package.file }
}
