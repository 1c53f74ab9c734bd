//! JUnit's XML, as Jenkins and GitLab read it: a suite for each stage, a case for each thing that was tested in it.

use super::{Recorded, StageReport};
use base::xml::escaped as xml;
use base::{Finding, Problem};
use k8s::Fields;
use std::fmt::Write;

pub(super) fn write(recorded: &Recorded, problem: Option<&Problem>) -> String {
    let mut suites: Vec<(usize, usize, String)> = recorded.stages.iter().map(|stage| suite(stage, problem)).collect();
    // What stopped the run outside of its stages is no stage's.
    if let Some(problem) = problem.filter(|_| recorded.stages.iter().all(|stage| stage.verdict != "failed")) {
        suites.push((1, 1, format!("<testsuite name=\"wharf\" tests=\"1\" failures=\"1\" skipped=\"0\" time=\"0\"><testcase classname=\"wharf\" name=\"run\" time=\"0\">{}</testcase></testsuite>", failure(problem))));
    }
    let (tests, failures) = suites.iter().fold((0, 0), |(tests, failures), suite| (tests + suite.0, failures + suite.1));
    let time: f64 = recorded.stages.iter().map(|stage| stage.time.as_secs_f64()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(out, "<testsuites name=\"wharf\" tests=\"{tests}\" failures=\"{failures}\" time=\"{time:.3}\">");
    out.extend(suites.into_iter().map(|(_, _, text)| text));
    out.push_str("</testsuites>\n");
    out
}

fn suite(stage: &StageReport, problem: Option<&Problem>) -> (usize, usize, String) {
    let seconds = stage.time.as_secs_f64();
    let (name, failed) = (xml(&stage.name), stage.verdict == "failed");
    let named = named(stage);
    let mut cases = String::new();
    for case in &named {
        let time = seconds / named.len() as f64;
        let _ = write!(cases, "<testcase classname=\"wharf.{name}\" name=\"{}\" time=\"{time:.3}\"/>", xml(case));
    }
    if named.is_empty() {
        let inner = match problem.filter(|_| failed) {
            Some(problem) => failure(problem),
            None => format!("<system-out>{}</system-out>", xml(&stage.summary)),
        };
        let _ = write!(cases, "<testcase classname=\"wharf\" name=\"{name}\" time=\"{seconds:.3}\">{inner}</testcase>");
    }
    let (tests, failures) = (named.len().max(1), usize::from(failed));
    let head = format!("<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"0\" time=\"{seconds:.3}\">");
    (tests, failures, format!("{head}{cases}</testsuite>"))
}

/// What a stage that went well says it tested, by name.
fn named(stage: &StageReport) -> Vec<String> {
    if stage.verdict == "failed" {
        return Vec::new();
    }
    [("tests", "name"), ("checks", "image"), ("checks", "check")]
        .into_iter()
        .flat_map(|(list, name)| stage.detail.items(list).iter().map(move |one| one.text(name).to_owned()))
        .filter(|name| !name.is_empty())
        .collect()
}

fn failure(problem: &Problem) -> String {
    let mut text = format!("{}\n", problem.message);
    problem.findings.iter().for_each(|finding| lines(&mut text, finding));
    problem.hints.iter().for_each(|hint| text.push_str(&format!("hint: {hint}\n")));
    format!("<failure message=\"{}\" type=\"{}\">{}</failure>", xml(&problem.message), problem.kind.name(), xml(&text))
}

fn lines(text: &mut String, finding: &Finding) {
    let place = finding.place.to_string();
    let place = if place.is_empty() { place } else { format!("{place} ") };
    let _ = writeln!(text, "{place}{} {}: {}", finding.rule, finding.severity, finding.message);
    for more in std::iter::once(&finding.help).chain(&finding.evidence).filter(|more| !more.is_empty()) {
        let _ = writeln!(text, "    {more}");
    }
}
