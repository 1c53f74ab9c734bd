//! What each shape says of the same findings.

use super::*;
use crate::gate::{Ignore, Mode, Unjudged, judge};
use crate::matching::tests::{osv, package, scanned};
use crate::{Ecosystem, Source};
use serde_json::Value;

fn rendered(name: &str) -> String {
    let debian = || Ecosystem::Debian("12".to_owned());
    let built = |name: &str| {
        let mut package = package(debian(), name, "1.0-1");
        package.source = Some(Source { name: "openssl".to_owned(), version: "1.0-1".to_owned() });
        package.file = "var/lib/dpkg/status".to_owned();
        package.line = None;
        package
    };
    let weighed = |text: String, word: &str| {
        text.replacen("\"summary\"", &format!("\"database_specific\":{{\"severity\":\"{word}\"}},\"summary\""), 1)
    };
    let documents = [
        weighed(osv("CVE-1", &[], ("Debian:12", "openssl"), "1.0-2"), "critical"),
        weighed(osv("RUSTSEC-1", &["CVE-2"], ("crates.io", "time"), ""), "low"),
        weighed(osv("RUSTSEC-2", &[], ("crates.io", "time"), "9.0.0"), "low").replace("about RUSTSEC-2", "\\u001b[2J<b>&"),
    ];
    let packages = vec![built("libssl3"), built("openssl"), built("libssl-dev"), package(Ecosystem::Cargo, "time", "0.1.43")];
    let report = scanned(packages, &documents);
    let ignore = Ignore { id: "RUSTSEC-2".to_owned(), package: None, reason: "not <reached>".to_owned(), until: None };
    let gate = Gate { only_fixable: true, ignores: vec![ignore], ..gate() };
    let judged = judge(&report, &gate, report.advisories.created);
    let shown = Shown { report: &report, judged: &judged, gate: &gate, width: 100, colored: false, version: "0" };
    assert_eq!(summary(&report, &judged), "4 packages, 4 vulnerabilities (3 critical, 1 low), 3 with a fix, 1 ignored");
    (format(name).expect("a format").render)(&shown)
}

fn gate() -> Gate {
    Gate {
        mode: Mode::Fail,
        unjudged: Unjudged::Fail,
        fail_on: Some(Level::High),
        only_fixable: false,
        advisories_at_most: None,
        ignores: Vec::new(),
    }
}

#[test]
fn a_summary_says_how_many_were_left_out_as_development() {
    let mut tool = package(Ecosystem::Npm, "b", "1.0.0");
    tool.development = true;
    let report = scanned(vec![tool], &[osv("GHSA-1", &[], ("npm", "b"), "2.0.0")]);
    let judged = judge(&report, &gate(), report.advisories.created);
    assert_eq!(summary(&report, &judged), "0 packages, nothing known against them, 1 package for development left out");
}

/// A report of a package that the index knows nothing of, and of a file that could not be read.
fn blind(name: &str, unjudged: Unjudged) -> String {
    let mut report = scanned(vec![package(Ecosystem::PyPi, "a", "1.0")], &[osv("GHSA-1", &[], ("npm", "b"), "2.0.0")]);
    report.unjudged.push(crate::tree::unread("a/Cargo.lock", "line 1: <<<<"));
    let gate = Gate { unjudged, ..gate() };
    let judged = judge(&report, &gate, report.advisories.created);
    let shown = Shown { report: &report, judged: &judged, gate: &gate, width: 100, colored: false, version: "0" };
    assert_eq!(summary(&report, &judged), "0 packages, nothing known against them, 1 package not judged, 1 file not read");
    (format(name).expect("a format").render)(&shown)
}

#[test]
fn what_could_not_be_judged_is_told_in_every_shape_that_has_a_place_for_it() {
    let junit = blind("junit", Unjudged::Fail);
    assert!(junit.contains("<testsuite name=\"a/Cargo.lock\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\""), "{junit}");
    assert!(
        junit.contains("<error message=\"line 1: &lt;&lt;&lt;&lt;\" type=\"unread\">") && junit.contains("knows nothing of PyPI"),
        "{junit}"
    );
    let allowed = blind("junit", Unjudged::Warn);
    assert!(!allowed.contains("<error") && allowed.matches("<skipped message=").count() == 2, "{allowed}");
    for (unjudged, success) in [(Unjudged::Fail, false), (Unjudged::Warn, true)] {
        let sarif: Value = serde_json::from_str(&blind("sarif", unjudged)).expect("JSON");
        let invocation = &sarif["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], success);
        let told = invocation["toolExecutionNotifications"].as_array().expect("a list");
        assert_eq!((told.len(), &told[1]["level"]), (2, &Value::from("warning")));
        assert_eq!(told[1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a/Cargo.lock");
        let json: Value = serde_json::from_str(&blind("json", unjudged)).expect("JSON");
        assert_eq!((&json["gate"]["stops"], &json["unjudged_packages"]), (&Value::Bool(!success), &Value::from(1)));
        assert_eq!(json["gate"]["unjudged"], if success { "warn" } else { "fail" });
    }
}

#[test]
fn a_table_is_by_level_with_source_packages_together() {
    let expected = "\
CRITICAL (1)
! CVE-1  openssl (libssl-dev +1)  1.0-1  -> 1.0-2  about CVE-1

LOW (1)
  RUSTSEC-1 CVE-2  time  0.1.43  -> (no fix yet)  Cargo.lock:3  about RUSTSEC-1";
    assert_eq!(rendered("table"), expected);
}

#[test]
fn json_is_a_report_again_and_says_what_the_gate_made_of_it() {
    let text = rendered("json");
    let report: Report = serde_json::from_str(&text).expect("a report");
    assert_eq!(report.vulnerabilities.len(), 5);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&document["gate"]["stops"], document["gate"]["counted"].as_array().map(Vec::len)), (&Value::Bool(true), Some(3)));
    assert!(crate::baseline::Baseline::parse(&text).is_ok());
}

#[test]
fn sarif_has_a_rule_once_and_tells_what_is_suppressed() {
    let document: Value = serde_json::from_str(&rendered("sarif")).expect("JSON");
    let run = &document["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(3));
    assert_eq!(run["results"].as_array().map(Vec::len), Some(5));
    assert_eq!(run["results"][3]["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
    assert_eq!(run["results"][4]["suppressions"][0]["justification"], "not <reached>");
    assert_eq!(run["tool"]["driver"]["rules"][0]["properties"]["security-severity"], "9.5");
}

#[test]
fn junit_counts_failures_and_escapes_what_others_wrote() {
    let text = rendered("junit");
    assert!(text.contains("<testsuite name=\"var/lib/dpkg/status\" tests=\"3\" failures=\"3\" errors=\"0\" skipped=\"0\""), "{text}");
    assert!(text.contains("<skipped message=\"not &lt;reached&gt;\"/>") && !text.contains('\u{1b}'));
}

#[test]
fn sboms_say_what_was_found_in_which_package() {
    let inventory =
        crate::matching::tests::inventory(vec![package(Ecosystem::Cargo, "time", "0.1.43"), package(Ecosystem::Cargo, "safe", "1.0.0")]);
    let report = scanned(inventory.packages.clone(), &[osv("RUSTSEC-1", &["CVE-2"], ("crates.io", "time"), "0.2.0")]);
    let options = crate::sbom::Options { tool_version: "0", created: None };
    let mut document = crate::sbom::cyclonedx::write(&inventory, options);
    let ignore = Ignore { id: "CVE-2".to_owned(), package: None, reason: "not reached".to_owned(), until: None };
    let ignored = judge(&report, &Gate { ignores: vec![ignore], ..gate() }, report.advisories.created).ignored;
    add_to_cyclonedx(&mut document, &inventory, &report, &[]);
    assert_eq!(document["vulnerabilities"][0].get("analysis"), None);
    add_to_cyclonedx(&mut document, &inventory, &report, &ignored);
    assert_eq!(document["vulnerabilities"][0]["analysis"]["detail"], "ignored: not reached");
    let [found] = document["vulnerabilities"].as_array().expect("a list").as_slice() else { panic!("{document}") };
    assert_eq!((&found["id"], &found["recommendation"]), (&Value::from("RUSTSEC-1"), &Value::from("update to 0.2.0")));
    assert!(document["components"].as_array().is_some_and(|all| all.iter().any(|one| one["bom-ref"] == found["affects"][0]["ref"])));
    let mut document = crate::sbom::spdx::write(&inventory, options);
    add_to_spdx(&mut document, &inventory, &report, &ignored);
    let told = document["packages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["externalRefs"][1]["referenceCategory"] == "SECURITY")
        .inspect(|one| assert_eq!(one["externalRefs"][1]["comment"], "fixed in 0.2.0; ignored: not reached"))
        .count();
    assert_eq!(told, 1);
    // Only packages have references; a null in their stead is against the schema.
    assert!(document["packages"].as_array().expect("a list").iter().all(|one| one.get("externalRefs").is_none_or(Value::is_array)));
}
