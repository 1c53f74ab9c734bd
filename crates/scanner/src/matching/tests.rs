//! What a scan finds, of which package, and what it says of it.

use super::*;
use crate::TargetKind;
use crate::advisories::index::tests::index_of;
use crate::severity::Level;

pub fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        source: None,
        architecture: None,
        licenses: Vec::new(),
        file: "Cargo.lock".to_owned(),
        line: Some(3),
        layer: None,
        development: false,
        owned: false,
    }
}

pub fn inventory(packages: Vec<Package>) -> Inventory {
    let target = Target { kind: TargetKind::Folder, name: ".".to_owned(), id: None, layers: Vec::new() };
    Inventory { target, os: None, packages, unread: Vec::new() }
}

/// An advisory for all versions before `fixed`.
pub fn osv(id: &str, aliases: &[&str], (ecosystem, name): (&str, &str), fixed: &str) -> String {
    let aliases: Vec<String> = aliases.iter().map(|alias| format!("\"{alias}\"")).collect();
    let end = if fixed.is_empty() { String::new() } else { format!(",{{\"fixed\":\"{fixed}\"}}") };
    format!(
        r#"{{"id":"{id}","aliases":[{}],"summary":"about {id}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},
        "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}}{end}]}}]}}]}}"#,
        aliases.join(",")
    )
}

pub fn scanned(packages: Vec<Package>, documents: &[String]) -> Report {
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    scan(&inventory(packages), &index_of(&documents), &Options::default(), Timestamp::default()).expect("scanned")
}

fn found(report: &Report) -> Vec<(&str, &str, Option<&str>)> {
    report.vulnerabilities.iter().map(|found| (found.id.as_str(), found.package.package.as_str(), found.fixed.as_deref())).collect()
}

#[test]
fn one_vulnerability_is_told_once_by_the_ecosystem_s_own_name() {
    let crates = ("crates.io", "time");
    let documents = [
        osv("GHSA-1", &["CVE-1"], crates, "0.2.23"),
        osv("RUSTSEC-1", &["CVE-1", "GHSA-1"], crates, "0.2.22"),
        osv("CVE-2", &[], crates, ""),
    ];
    let report = scanned(vec![package(Ecosystem::Cargo, "time", "0.1.43")], &documents);
    assert_eq!(found(&report), [("CVE-2", "time", None), ("RUSTSEC-1", "time", Some("0.2.23"))]);
    let first = report.vulnerabilities.iter().find(|found| found.is("CVE-1")).expect("found");
    assert_eq!((first.aliases.len(), first.status, first.cve()), (2, Status::Fixed, Some("CVE-1")));
    assert_eq!(report.vulnerabilities[0].status, Status::Affected);
    assert!(found(&scanned(vec![package(Ecosystem::Cargo, "time", "0.3.0")], &documents)).iter().all(|found| found.0 == "CVE-2"));
}

#[test]
fn a_distribution_is_judged_by_its_source_package_and_its_vendor_alone() {
    let debian = Ecosystem::Debian("12".to_owned());
    let documents = [osv("CVE-1", &[], ("Debian:12", "openssl"), "3.0.11-1~deb12u2"), osv("PYSEC-1", &[], ("PyPI", "requests"), "3")];
    let mut library = package(debian, "libssl3", "3.0.11-1~deb12u1+b1");
    library.source = Some(Source { name: "openssl".to_owned(), version: "3.0.11-1~deb12u1".to_owned() });
    let mut owned = package(Ecosystem::PyPi, "requests", "2.0");
    owned.owned = true;
    let mine = package(Ecosystem::PyPi, "requests", "2.1");
    let report = scanned(vec![library.clone(), owned, mine], &documents);
    assert_eq!(found(&report), [("CVE-1", "libssl3", Some("3.0.11-1~deb12u2")), ("PYSEC-1", "requests", Some("3"))]);
    assert_eq!(report.vulnerabilities[1].package.version, "2.1");
    library.ecosystem = Ecosystem::Debian("11".to_owned());
    let other = scanned(vec![library], &documents);
    assert!(other.vulnerabilities.is_empty() && other.unjudged[0].message.contains("knows nothing of Debian:11: 1 package was"));
    // It counts as not judged, and as a gap.
    assert_eq!((other.packages, other.unjudged_packages, other.gaps().count()), (0, 1, 1));
}

#[test]
fn a_notice_for_several_joins_them_or_stands_alone() {
    let notice = |upstream: &str| {
        osv("DSA-9", &[], ("Debian:12", "p"), "2").replacen("\"summary\"", &format!("\"upstream\":{upstream},\"summary\""), 1)
    };
    let single = [osv("CVE-1", &[], ("Debian:12", "p"), "2"), osv("CVE-2", &[], ("Debian:12", "p"), "2")];
    let installed = || vec![package(Ecosystem::Debian("12".to_owned()), "p", "1")];
    let joined = scanned(installed(), &[single[0].clone(), single[1].clone(), notice(r#"["CVE-1","CVE-2"]"#)]);
    assert_eq!(found(&joined), [("CVE-1", "p", Some("2")), ("CVE-2", "p", Some("2"))]);
    assert!(joined.vulnerabilities.iter().all(|found| found.is("DSA-9")));
    let alone = scanned(installed(), &[single[0].clone(), notice(r#"["CVE-1","CVE-3"]"#)]);
    assert_eq!(found(&alone), [("CVE-1", "p", Some("2")), ("DSA-9", "p", Some("2"))]);
}

#[test]
fn development_is_left_out_unless_asked_for_and_what_cannot_be_placed_is_told() {
    let mut tool = package(Ecosystem::Npm, "tool", "1.0.0");
    tool.development = true;
    let documents = [osv("GHSA-1", &[], ("npm", "tool"), ""), osv("GO-1", &[], ("Go", "m"), "1.0.0")];
    let index = index_of(&[&documents[0], &documents[1]]);
    let inventory = inventory(vec![tool, package(Ecosystem::Go, "m", "(devel)")]);
    let count = |development| {
        let report = scan(&inventory, &index, &Options { development }, Timestamp::default()).expect("scanned");
        assert!(report.unjudged[0].message.contains("m was not judged: `(devel)` is no version of Go"), "{:?}", report.unjudged);
        assert_eq!((report.unjudged_packages, report.gaps().count()), (1, 0));
        assert_eq!(report.development_packages, usize::from(!development));
        (report.packages, report.vulnerabilities.len())
    };
    assert_eq!((count(false), count(true)), ((0, 0), (1, 1)));
}

#[test]
fn go_s_library_is_judged_as_it_was_built_not_as_it_might_be() {
    let go = |file: &str| Package { file: file.to_owned(), ..package(Ecosystem::Go, "stdlib", "1.18") };
    let report = scanned(vec![go("a/go.mod"), go("usr/bin/tool")], &[osv("GO-1", &[], ("Go", "stdlib"), "1.19.0")]);
    assert_eq!((report.packages, report.vulnerabilities[0].package.file.as_str()), (1, "usr/bin/tool"));
}

#[test]
fn a_program_of_a_release_candidate_is_judged() {
    let info = crate::catalogues::go_buildinfo::BuildInfo { version: "go1.22rc1".to_owned(), modules: String::new() };
    let [told] = crate::catalogues::go_buildinfo::modules(&info).packages.try_into().expect("the standard library");
    let report = scanned(vec![package(Ecosystem::Go, &told.name, &told.version)], &[osv("GO-1", &[], ("Go", "stdlib"), "1.22.0")]);
    assert_eq!((found(&report), report.packages), (vec![("GO-1", "stdlib", Some("1.22.0"))], 1), "{:?}", report.unjudged);
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let report = scanned(vec![package(Ecosystem::Npm, "a", "1.0.0")], &[osv("GHSA-1", &["CVE-1"], ("npm", "a"), "2.0.0")]);
    let text = serde_json::to_string(&report).expect("written");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("read"), report);
    assert_eq!(report.vulnerabilities[0].severity.level, Level::Unknown);
}
