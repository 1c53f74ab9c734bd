//! What was there before: only what was added since counts.

use crate::matching::{Report, Vulnerability, was_there};
use std::collections::BTreeSet;

/// What an earlier report found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeSet<(String, String, String)>,
}

impl Baseline {
    /// Of an earlier report.
    pub fn of(report: &Report) -> Self {
        Self { known: report.known() }
    }

    /// Of what a release's record kept: id, ecosystem in OSV's name, and package, for every name that a finding has.
    pub fn of_keys(keys: impl IntoIterator<Item = (String, String, String)>) -> Self {
        Self { known: keys.into_iter().collect() }
    }

    /// Of a report in JSON, as `wharf scan --json` writes it: one, or a line each.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut known = BTreeSet::new();
        for report in serde_json::Deserializer::from_str(text).into_iter::<Report>() {
            known.extend(report.map_err(|error| format!("this is no report of `wharf scan --json`: {error}"))?.known());
        }
        Ok(Self { known })
    }

    /// Whether a vulnerability of this package was there under any of its names, in whatever version; of a notice of several, all of them.
    pub fn has(&self, found: &Vulnerability) -> bool {
        was_there(&self.known, found)
    }

    /// Takes what was there out of a report; how many that were.
    pub fn take_from(&self, report: &mut Report) -> usize {
        let before = report.vulnerabilities.len();
        report.vulnerabilities.retain(|found| !self.has(found));
        before - report.vulnerabilities.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ecosystem;
    use crate::matching::tests::{osv, package, scanned};

    #[test]
    fn only_what_was_added_is_left() {
        let documents = [osv("GHSA-1", &["CVE-1"], ("npm", "a"), "9.0.0"), osv("GHSA-2", &[], ("npm", "b"), "9.0.0")];
        let before = scanned(vec![package(Ecosystem::Npm, "a", "1.0.0")], &documents[..1]);
        let text = serde_json::to_string(&before).expect("written");
        let baseline = Baseline::parse(&format!("{text}\n{text}\n")).expect("read");
        // The same vulnerability is now known by another name, and the package has another version.
        let renamed = [documents[0].replace("GHSA-1", "GHSA-9"), documents[1].clone()];
        let mut now = scanned(vec![package(Ecosystem::Npm, "a", "1.1.0"), package(Ecosystem::Npm, "b", "1.0.0")], &renamed);
        assert_eq!(baseline.take_from(&mut now), 1);
        assert_eq!(now.vulnerabilities.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), ["GHSA-2"]);
        assert!(Baseline::parse("{}").expect_err("no report").contains("no report"));
    }
}
