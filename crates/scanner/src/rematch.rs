//! What runs, matched again when the index changes: without looking at any image, from the inventories that were kept of them.

use crate::Inventory;
use crate::advisories::index::{Index, IndexError};
use crate::matching::{Options, Report, Vulnerability, scan, was_there};
use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An image that a workload runs.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The workload, written `Kind namespace/name`.
    pub workload: &'a str,
    /// The release that it belongs to.
    pub release: &'a str,
    /// Since when it runs.
    pub since: Timestamp,
    /// Its image, as the project calls it.
    pub image: &'a str,
    /// The image's id.
    pub image_id: &'a str,
    /// What is in it, under whatever name that was found out.
    pub inventory: &'a Inventory,
}

/// What was already told, by workload and image. Kept beside the inventories; each step gives the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told(BTreeMap<String, BTreeSet<(String, String, String)>>);

/// A vulnerability that was not known of what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct New {
    /// The workload.
    pub workload: String,
    /// Its release.
    pub release: String,
    /// Since when it runs.
    pub since: Timestamp,
    /// Its image, as the project calls it.
    pub image: String,
    /// The image's id.
    pub image_id: String,
    /// What was found.
    pub vulnerability: Vulnerability,
}

impl Told {
    /// Takes what a report found of a workload as told: what its release was let through with is no news.
    pub fn take(&mut self, workload: &str, image_id: &str, report: &Report) {
        self.0.entry(of(workload, image_id)).or_default().extend(report.known());
    }

    /// The same of what a release's record kept: ids, each with ecosystem and package.
    pub fn take_known(&mut self, workload: &str, image_id: &str, known: impl Iterator<Item = (String, String, String)>) {
        self.0.entry(of(workload, image_id)).or_default().extend(known);
    }

    /// Forgets all but these workloads, each with the id of its image: the others do not run any more.
    pub fn keep_only<'a>(&mut self, running: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let keys: BTreeSet<String> = running.into_iter().map(|(workload, image_id)| of(workload, image_id)).collect();
        self.0.retain(|key, _| keys.contains(key));
    }

    /// Whether anything was taken of a workload with this image.
    pub fn knows(&self, workload: &str, image_id: &str) -> bool {
        self.0.contains_key(&of(workload, image_id))
    }
}

/// What is new of everything that runs, and what is told from now on. Nothing is forgotten: see [`Told::keep_only`].
///
/// # Errors
/// When a part of the index is not what was signed.
pub fn rematch(
    running: &[Running<'_>],
    told: &Told,
    index: &Index,
    options: &Options,
    now: Timestamp,
) -> Result<(Vec<New>, Told), IndexError> {
    let (mut news, mut next) = (Vec::new(), told.clone());
    for run in running {
        let report = scan(run.inventory, index, options, now)?;
        let before = told.0.get(&of(run.workload, run.image_id));
        let is_new = |found: &&Vulnerability| before.is_none_or(|before| !was_there(before, found));
        news.extend(report.vulnerabilities.iter().filter(is_new).map(|found| New {
            workload: run.workload.to_owned(),
            release: run.release.to_owned(),
            since: run.since,
            image: run.image.to_owned(),
            image_id: run.image_id.to_owned(),
            vulnerability: found.clone(),
        }));
        next.0.entry(of(run.workload, run.image_id)).or_default().extend(report.known());
    }
    Ok((news, next))
}

fn of(workload: &str, image_id: &str) -> String {
    format!("{workload} {image_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ecosystem;
    use crate::advisories::index::tests::index_of;
    use crate::matching::tests::{inventory, osv, package};

    #[test]
    fn a_new_advisory_names_workload_release_and_since_once() {
        let (first, second) = (osv("GHSA-1", &[], ("npm", "a"), "2.0.0"), osv("GHSA-2", &[], ("npm", "a"), "3.0.0"));
        let (before, after) = (index_of(&[&first]), index_of(&[&first, &second]));
        let inventory = inventory(vec![package(Ecosystem::Npm, "a", "1.0.0")]);
        let since = Timestamp::from_micros(5);
        // What it was looked at as is neither the project's name for it nor its id.
        let (image, image_id) = ("web", "sha256:aa");
        let running = [Running { workload: "Deployment shop/web", release: "abc", since, image, image_id, inventory: &inventory }];
        let options = Options::default();
        let mut told = Told::default();
        told.take("Deployment shop/web", image_id, &scan(&inventory, &before, &options, since).expect("scanned"));
        let (none, told) = rematch(&running, &told, &before, &options, since).expect("matched");
        assert!(none.is_empty());
        let (news, told) = rematch(&running, &told, &after, &options, since).expect("matched");
        let [new] = news.as_slice() else { panic!("{news:?}") };
        assert_eq!((new.workload.as_str(), new.release.as_str(), new.since), ("Deployment shop/web", "abc", since));
        assert_eq!((new.vulnerability.id.as_str(), new.image.as_str(), new.image_id.as_str()), ("GHSA-2", "web", "sha256:aa"));
        let kept: Told = serde_json::from_str(&serde_json::to_string(&told).expect("written")).expect("read");
        assert!(rematch(&running, &kept, &after, &options, since).expect("matched").0.is_empty());
        // A package that was mended and comes back is no news either, and what is not seen for once is not forgotten.
        let (_, mut unseen) = rematch(&[], &kept, &after, &options, since).expect("matched");
        assert_eq!(unseen, kept);
        unseen.keep_only([("Deployment shop/web", image_id)]);
        assert_eq!(unseen, kept);
        unseen.keep_only([("Deployment shop/web", "sha256:other")]);
        assert_eq!(unseen, Told::default());
    }
}
