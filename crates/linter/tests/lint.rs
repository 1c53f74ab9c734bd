//! What the linter does beside its rules: parse errors, pragmas, options, fixes.

use base::Severity;
use linter::{Options, fix, lint, reaches};

fn found(source: &str, options: &Options) -> Vec<(String, u32)> {
    lint("Dockerfile", source, options).into_iter().map(|finding| (finding.rule, finding.place.line.unwrap_or(0))).collect()
}

fn rows(rows: &[(&str, u32)]) -> Vec<(String, u32)> {
    rows.iter().map(|(rule, line)| ((*rule).to_owned(), *line)).collect()
}

#[test]
fn a_parse_error_hides_nothing() {
    let source = "FROM debian\nRUM x\nWORKDIR app\nCOPY --frm=a b /c\nCMD app\n";
    let expected = rows(&[("DL3006", 1), ("DL1000", 2), ("DL3000", 3), ("DL1000", 4), ("DL3025", 5)]);
    assert_eq!(found(source, &Options::default()), expected);
    let headless = rows(&[("DL1000", 1), ("DL3003", 1), ("DL3008", 1), ("DL3015", 1), ("DL1000", 2), ("DL3025", 2), ("DL3006", 3)]);
    assert_eq!(found("RUN cd x && apt-get install y\nCMD z\nFROM debian\n", &Options::default()), headless);
}

#[test]
fn pragmas_silence_lines_stages_and_files() {
    let source =
        "# hadolint stage ignore=DL3003\nFROM debian:1 AS a\nRUN cd x\nFROM debian:1\nRUN cd x\n# hadolint ignore=DL3003 # why\nRUN cd y\n";
    assert_eq!(found(source, &Options::default()), rows(&[("DL3003", 5)]));
    assert_eq!(found(source, &Options { disregard_pragmas: true, ..Options::default() }).len(), 3);
    assert_eq!(found("FROM debian\nRUN x \\\n # hadolint global ignore=DL3006\n y\n", &Options::default()), []);
}

#[test]
fn options_ignore_and_weigh() {
    let options =
        Options { ignored: vec!["DL3006".to_owned()], severities: vec![("DL3003".to_owned(), Severity::Style)], ..Options::default() };
    let findings = lint("Dockerfile", "FROM debian\nRUN cd x\n", &options);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Style);
    assert!(reaches(&findings[0], Severity::Style) && !reaches(&findings[0], Severity::Info));
}

#[test]
fn heredocs_and_json_forms_are_read() {
    let source = "FROM debian:1\nRUN <<EOF\ncd /x\napt-get update\nEOF\nRUN [\"pip\", \"install\", \"x\"]\nRUN <<EOF\n#!/usr/bin/env python3\ncd = 1\nEOF\nRUN cat <<EOF\ncd x\nEOF\n";
    assert_eq!(found(source, &Options::default()), rows(&[("DL3003", 2), ("DL3009", 2), ("DL3013", 6), ("DL3042", 6)]));
}

#[test]
fn fixes_change_what_is_safe_and_nothing_else() {
    let source = "FROM debian:1\nADD --chown=1 a /b\nADD a b.tar /c\nadd \\\n x /y\nADD --checksum=sha256:0 a /b\nMAINTAINER \"Jo $X\"\nADD a.tar /\n";
    let (text, fixed) = fix("Dockerfile", source, &Options::default());
    let expected = "FROM debian:1\nCOPY --chown=1 a /b\nADD a b.tar /c\nCOPY \\\n x /y\nADD --checksum=sha256:0 a /b\nLABEL org.opencontainers.image.authors=\"Jo X\"\nADD a.tar /\n";
    assert_eq!(text, expected);
    assert_eq!(fixed.len(), 3);
    let (same, _) = fix("Dockerfile", &text, &Options::default());
    assert_eq!(same, text);
}

#[test]
fn hostile_files_stay_linear() {
    let stages = "FROM a AS b\nRUN pip install x | y\nENV A=1\n# hadolint ignore=DL3013\n".repeat(8_000);
    assert!(lint("Dockerfile", &stages, &Options::default()).len() > 8_000);
    let deep = format!("FROM a:1\nRUN {}\n", "$(".repeat(100_000));
    assert_eq!(lint("Dockerfile", &deep, &Options::default()), []);
}
