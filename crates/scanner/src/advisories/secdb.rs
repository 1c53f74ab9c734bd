//! Alpine's own data: a branch's `main` or `community` of secdb, in JSON or YAML.

use super::{Advisory, Affected, End, Interval, Status};
use crate::Ecosystem;
use crate::versions;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(super) struct Secdb {
    distroversion: String,
    #[serde(default)]
    packages: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    secfixes: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// One advisory for each id, and what of the data was not understood.
pub(super) fn read(secdb: Secdb) -> (Vec<Advisory>, Vec<String>) {
    let ecosystem = Ecosystem::Alpine(secdb.distroversion);
    let mut found: BTreeMap<String, Advisory> = BTreeMap::new();
    let mut unread = Vec::new();
    for Package { name, secfixes } in secdb.packages.unwrap_or_default().into_iter().map(|entry| entry.pkg) {
        // What "version 0" mends never was in Alpine.
        for (version, ids) in secfixes.unwrap_or_default().into_iter().filter(|(version, _)| version != "0") {
            if let Err(error) = versions::compare(&ecosystem, &version, &version) {
                unread.push(format!("{name}: {error}"));
                continue;
            }
            for line in ids.unwrap_or_default() {
                // A line is an id, and may have more for the same thing behind it.
                let mut ids = line.split_whitespace().map(str::to_owned);
                let Some(id) = ids.next() else { continue };
                let advisory = found.entry(id.clone()).or_insert_with(|| Advisory {
                    id,
                    aliases: ids.collect(),
                    upstream: Vec::new(),
                    summary: String::new(),
                    published: String::new(),
                    ratings: Vec::new(),
                    affected: Vec::new(),
                });
                advisory.affected.push(Affected {
                    ecosystem: ecosystem.clone(),
                    name: name.clone(),
                    intervals: vec![Interval { introduced: None, end: End::Fixed(version.clone()) }],
                    versions: Vec::new(),
                    status: Status::Affected,
                    ratings: Vec::new(),
                });
            }
        }
    }
    (found.into_values().collect(), unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_are_advisories_and_what_never_was_there_is_none() {
        let text = r#"{"distroversion":"v3.20","reponame":"main","packages":[{"pkg":{"name":"busybox","secfixes":{
            "1.36.1-r2":["CVE-2022-48174 GHSA-x"],"0":["CVE-1"],"what":["CVE-2"]}}},{"pkg":{"name":"none","secfixes":null}}]}"#;
        let (advisories, unread) = read(serde_json::from_str(text).expect("secdb"));
        assert_eq!((advisories.len(), unread.len()), (1, 1));
        assert_eq!((advisories[0].id.as_str(), advisories[0].aliases.as_slice()), ("CVE-2022-48174", ["GHSA-x".to_owned()].as_slice()));
        assert!(advisories[0].affected[0].hits("1.36.1-r1").expect("read").is_some());
        // A branch with nothing in it yet.
        let empty = serde_json::from_str(r#"{"distroversion":"v3.10","packages":null}"#).expect("secdb");
        assert_eq!(read(empty), (Vec::new(), Vec::new()));
    }
}
