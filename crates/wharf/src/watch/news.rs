//! What people are told of a new advisory: one notice for each finding.

use base::{Finding, Place, Severity, Timestamp};
use monitor::{Notice, NoticeKind};
use scanner::matching::Vulnerability;
use scanner::rematch::New;
use scanner::severity::Level;
use std::collections::BTreeMap;

/// A notice for each advisory and workload; a package that stands in several places, or gives several packages, is one finding.
pub(super) fn notices(project: &str, environment: &str, new: &[New], now: Timestamp) -> Vec<Notice> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&New>> = BTreeMap::new();
    for one in new {
        groups.entry((&one.workload, &one.image_id, &one.vulnerability.id)).or_default().push(one);
    }
    let notice = |((workload, image_id, id), found): ((&str, &str, &str), Vec<&New>)| {
        let first = found.first()?;
        Some(Notice {
            key: format!("advisory/{project}/{environment}/{workload}/{image_id}/{id}"),
            kind: NoticeKind::NewAdvisory,
            project: project.to_owned(),
            subject: subject(first),
            text: text(first, &found, environment),
            findings: found.iter().map(|one| finding(&one.vulnerability, workload)).collect(),
            url: None,
            at: now,
        })
    };
    groups.into_iter().filter_map(notice).collect()
}

fn level(vulnerability: &Vulnerability) -> String {
    serde_json::to_value(vulnerability.severity.level).ok().and_then(|level| level.as_str().map(str::to_owned)).unwrap_or_default()
}

fn subject(new: &New) -> String {
    let found = &new.vulnerability;
    let id = found.cve().unwrap_or(&found.id);
    format!("{id} ({}) hits {}: {} {}", level(found), new.workload, found.package.package, found.package.version)
}

fn text(first: &New, all: &[&New], environment: &str) -> String {
    let found = &first.vulnerability;
    let ids: Vec<&str> = found.ids().chain(found.upstream.iter().map(String::as_str)).collect();
    let mut packages: Vec<String> =
        all.iter().map(|one| format!("{} {}", one.vulnerability.package.package, one.vulnerability.package.version)).collect();
    packages.dedup();
    let fixed = found.fixed.as_ref().map_or_else(|| "in no version yet".to_owned(), |fixed| format!("in {fixed}"));
    let short: String = first.image_id.trim_start_matches("sha256:").chars().take(12).collect();
    [
        found.summary.clone(),
        String::new(),
        format!("advisory     {}", ids.join(", ")),
        format!("severity     {}", level(found)),
        format!("package      {}", packages.join(", ")),
        format!("fixed        {fixed}"),
        format!("workload     {}, environment {environment}", first.workload),
        format!("release      {}, since {}", first.release, first.since),
        format!("image        {} ({short})", first.image),
    ]
    .join("\n")
}

fn finding(found: &Vulnerability, workload: &str) -> Finding {
    let severity = match found.severity.level {
        Level::Critical | Level::High => Severity::Error,
        Level::Medium => Severity::Warning,
        _ => Severity::Info,
    };
    let place =
        Place { file: Some(found.package.file.clone()), line: found.package.line, object: Some(workload.to_owned()), ..Place::default() };
    let message = format!("{} {}", found.package.package, found.package.version);
    let help = found.fixed.as_ref().map_or_else(String::new, |fixed| {
        format!("{} {fixed} mends it", found.package.source.as_ref().map_or(&found.package.package, |source| &source.name))
    });
    Finding::new(found.id.clone(), severity, place, message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn new(package: &str, id: &str) -> New {
        let vulnerability = json!({"id": id, "aliases": ["CVE-2026-1"], "summary": "It overflows", "severity": {"level": "high", "source": "x"}, "status": "affected",
            "fixed": "3.0.2", "ecosystem": "Debian:12", "package": package, "version": "3.0.1", "file": "var/lib/dpkg/status"});
        serde_json::from_value(
            json!({"workload": "Deployment shop/web", "release": "abc", "since": 0, "image": "web", "image_id": "sha256:0123456789abcdef", "vulnerability": vulnerability}),
        )
        .expect("new")
    }

    #[test]
    fn a_finding_is_one_notice_with_workload_release_and_since() {
        let again = New { image_id: "sha256:ff".to_owned(), ..new("openssl", "DSA-1") };
        assert!(super::notices("shop", "prod", &[again], Timestamp::default())[0].key.ends_with("/Deployment shop/web/sha256:ff/DSA-1"));
        let found = [new("openssl", "DSA-1"), new("libssl3", "DSA-1"), new("zlib1g", "DSA-2")];
        let notices = notices("shop", "prod", &found, Timestamp::default());
        assert_eq!(notices.len(), 2);
        assert_eq!(notices[0].key, "advisory/shop/prod/Deployment shop/web/sha256:0123456789abcdef/DSA-1");
        assert_eq!(notices[0].subject, "CVE-2026-1 (high) hits Deployment shop/web: openssl 3.0.1");
        for part in [
            "It overflows\n\nadvisory     DSA-1, CVE-2026-1\nseverity     high\npackage      openssl 3.0.1, libssl3 3.0.1\nfixed        in 3.0.2\n",
            "workload     Deployment shop/web, environment prod\nrelease      abc, since 1970-01-01T00:00:00Z\nimage        web (0123456789ab)",
        ] {
            assert!(notices[0].text.contains(part), "{part}\n{}", notices[0].text);
        }
        assert_eq!((notices[0].findings.len(), notices[0].findings[0].severity), (2, Severity::Error));
    }
}
