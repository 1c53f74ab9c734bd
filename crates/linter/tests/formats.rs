//! The formats have hadolint's shapes; where hadolint is at hand, its own output is the measure.

#![allow(clippy::print_stdout, reason = "a skipped test says what it lacks")]

use linter::formats::{FORMATS, Report, format};
use linter::{Options, lint};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const SOURCE: &str = "FROM debian\nWORKDIR app\nRUN cd \"x<y>&\" && pip install foo\nRUN apt-get update\n";
const BROKEN: &str = "FROM debian:1\nFOO x\n";

fn render(name: &str, files: &[(&str, &str)]) -> String {
    let findings: Vec<_> = files.iter().flat_map(|(file, source)| lint(file, source, &Options::default())).collect();
    let names: Vec<String> = files.iter().map(|(file, _)| (*file).to_owned()).collect();
    let report = Report { findings: &findings, files: &names, colored: false, version: "0.1.0" };
    (format(name).expect("a format").render)(&report)
}

const FILES: [(&str, &str); 3] = [("a", SOURCE), ("sub/bad", BROKEN), ("clean", "FROM debian:1\n")];

#[test]
fn people_and_editors_read_lines() {
    let tty = render("tty", &FILES);
    assert!(tty.starts_with("a:1 DL3006 warning: "), "{tty}");
    assert!(tty.contains("\nsub/bad:2:1 DL1000 error: `FOO` is no instruction"), "{tty}");
    assert!(render("gnu", &FILES).starts_with("wharf:a:1: DL3006 warning: "));
    let hostile = render("tty", &[("a\u{1b}[2J", "FROM debian\nF\u{1b}[31mOO x\n")]);
    assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
}

#[test]
fn xml_is_escaped_and_names_clean_files() {
    for name in ["checkstyle", "junit"] {
        let out = render(name, &[("a\"<b>&", "FROM debian:1\nWORKDIR \"<&'\u{1}\"\n"), ("clean", "FROM debian:1\n")]);
        assert!(out.contains("a&quot;&lt;b&gt;&amp;") && out.contains("\"clean\""), "{out}");
        assert!(!out.contains('\u{1}') && !out.contains("<&"), "{out}");
    }
}

#[test]
fn nothing_found_is_still_a_report() {
    let clean = [("clean", "FROM debian:1\n")];
    let expected = [
        ("tty", ""),
        ("json", "[]"),
        ("gnu", ""),
        ("codacy", ""),
        ("codeclimate", ""),
        ("gitlab_codeclimate", "[]"),
        ("sonarqube", "{\"issues\":[]}"),
    ];
    for (name, text) in expected {
        assert_eq!(render(name, &clean), text, "{name}");
    }
    assert!(render("checkstyle", &clean).ends_with("<checkstyle version=\"4.3\"><file name=\"clean\"/></checkstyle>"));
}

#[test]
fn fingerprints_tell_findings_apart() {
    let issues: Vec<Value> = serde_json::from_str(&render("gitlab_codeclimate", &FILES)).expect("JSON");
    let prints: BTreeSet<&str> = issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), issues.len());
}

/// The paths of all fields of a JSON document, array indices left out.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| fields(value, &format!("{path}.{key}"), found)),
        Value::Array(list) => list.iter().for_each(|value| fields(value, &format!("{path}[]"), found)),
        _ => drop(found.insert(path.to_owned())),
    }
}

fn documents(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let text = text.replace('\0', "\n").replace("}{", "}\n{");
    for document in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        fields(&document.expect("JSON"), "", &mut found);
    }
    found
}

#[test]
fn json_shapes_have_all_of_hadolints_fields() {
    let Ok(hadolint) = std::env::var("WHARF_TEST_HADOLINT") else {
        println!("skipped: hadolint (set WHARF_TEST_HADOLINT to its path)");
        return;
    };
    let folder = std::env::temp_dir().join(format!("wharf-formats-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("sub")).expect("folder");
    for (file, source) in FILES {
        std::fs::write(folder.join(file), source).expect("written");
    }
    for name in ["json", "codeclimate", "gitlab_codeclimate", "codacy", "sonarqube", "sarif"] {
        let run =
            Command::new(&hadolint).args(["--no-fail", "-f", name, "a", "sub/bad", "clean"]).current_dir(&folder).output().expect("runs");
        let theirs = documents(&String::from_utf8(run.stdout).expect("text"));
        let ours = documents(&render(name, &FILES));
        let missing: Vec<_> = theirs.difference(&ours).filter(|field| !field.starts_with(".runs[].tool.driver.")).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn every_format_is_found_by_its_name() {
    assert!(FORMATS.iter().all(|known| format(known.name).is_some()));
    assert!(format("yaml").is_none());
}
