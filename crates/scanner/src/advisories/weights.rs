//! How bad what one database does not weigh is in the eyes of another: Go's and most of PyPA's advisories say nothing of it, GitHub's of the
//! same vulnerability do.

use super::Advisory;
use crate::severity::{Rating, Severity};
use std::collections::{HashMap, HashSet};

/// What an advisory says of how bad its vulnerability is.
#[derive(Debug)]
pub(super) struct Weighed {
    ids: Vec<String>,
    ratings: Vec<Rating>,
}

impl Weighed {
    /// What others may take over; none where it weighs nothing, is about several vulnerabilities, or speaks of a distribution's builds.
    pub(super) fn of(advisory: &Advisory) -> Option<Self> {
        let own = advisory.affected.iter().any(|affected| affected.ecosystem.is_distribution());
        let mut ratings: Vec<Rating> = advisory.ratings.iter().filter(|rating| rating.is_score() || rating.is_word()).cloned().collect();
        // A word that stands beside a score says no more.
        if ratings.iter().any(Rating::is_score) {
            ratings.retain(Rating::is_score);
        }
        if own || ratings.is_empty() || advisory.upstream.len() > 1 {
            return None;
        }
        Some(Self { ids: ids(advisory).cloned().collect(), ratings })
    }
}

/// Gives each advisory that nobody weighed the opinions of those that share an id with it.
pub(super) fn lend(advisories: &mut [Advisory], aside: Vec<Weighed>) {
    let takes = |advisory: &&Advisory| advisory.upstream.len() <= 1 && is_unweighed(advisory);
    // GitHub weighs hundreds of thousands; only what is asked for is kept.
    let wanted: HashSet<&String> = advisories.iter().filter(takes).flat_map(ids).collect();
    let mut known: HashMap<String, Vec<Rating>> = HashMap::new();
    for Weighed { ids, ratings } in advisories.iter().filter_map(Weighed::of).chain(aside) {
        for id in ids.into_iter().filter(|id| wanted.contains(id)) {
            known.entry(id).or_default().extend(ratings.iter().cloned());
        }
    }
    for advisory in advisories.iter_mut().filter(|advisory| takes(&&**advisory)) {
        let mut lent: Vec<Rating> = ids(advisory).filter_map(|id| known.get(id)).flatten().cloned().collect();
        // In a distribution only its own words count.
        if lent.iter().any(Rating::is_score) || advisory.affected.iter().any(|affected| affected.ecosystem.is_distribution()) {
            lent.retain(Rating::is_score);
        }
        lent.sort();
        lent.dedup();
        advisory.ratings.append(&mut lent);
    }
}

fn is_unweighed(advisory: &Advisory) -> bool {
    Severity::of(advisory.ratings.iter(), false) == Severity::unknown()
}

/// Every name of the vulnerability. What a single one is carried on from is the same one.
fn ids(advisory: &Advisory) -> impl Iterator<Item = &String> {
    std::iter::once(&advisory.id).chain(&advisory.aliases).chain(&advisory.upstream).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::sources::{Read, document};

    const VECTOR: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

    /// The ratings of the advisory `id` when all documents were read.
    fn lent(id: &str, documents: &[String]) -> Vec<(String, String)> {
        let mut read = Read::default();
        documents.iter().for_each(|text| document("a.json", text.as_bytes(), &mut read));
        read.lend();
        let advisory = read.advisories.iter().find(|advisory| advisory.id == id).expect("read");
        advisory.ratings.iter().map(|rating| (rating.value.clone(), rating.source.clone())).collect()
    }

    fn osv(id: &str, aliases: &str, ecosystem: &str, severity: &str) -> String {
        format!(
            r#"{{"id":"{id}","aliases":[{aliases}],"severity":[{severity}],"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"p"}},
            "versions":["1.0.0"]}}],"database_specific":{{"severity":"CRITICAL"}}}}"#
        )
    }

    #[test]
    fn what_nobody_weighed_takes_over_what_an_alias_says() {
        let plain = r#"{"id":"GO-1","aliases":["CVE-1"],"affected":[{"package":{"ecosystem":"Go","name":"m"},"versions":["1.0.0"]}]}"#;
        let score = format!(r#"{{"type":"CVSS_V3","score":"{VECTOR}"}}"#);
        // Of another ecosystem, or of none that Wharf reads: the vulnerability is the same.
        for ecosystem in ["npm", "Maven"] {
            let github = osv("GHSA-1", r#""CVE-1""#, ecosystem, &score);
            assert_eq!(lent("GO-1", &[plain.to_owned(), github]), [(VECTOR.to_owned(), "GitHub".to_owned())]);
        }
        let word = osv("GHSA-1", r#""CVE-1""#, "npm", "");
        assert_eq!(lent("GO-1", &[plain.to_owned(), word.clone()]), [("CRITICAL".to_owned(), "GitHub".to_owned())]);
        assert!(lent("GO-1", &[plain.to_owned(), word.replace("CVE-1", "CVE-2")]).is_empty());
        assert!(
            lent("GO-1", &[plain.to_owned(), word.replace("\"affected\"", "\"withdrawn\":\"2024-01-01T00:00:00Z\",\"affected\"")])
                .is_empty()
        );
    }

    #[test]
    fn an_opinion_of_its_own_stands_and_a_distribution_is_judged_by_its_own_words_alone() {
        let low = r#"{"type":"CVSS_V3","score":"CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}"#;
        let github = osv("GHSA-1", r#""CVE-1""#, "npm", "");
        let own = osv("PYSEC-1", r#""CVE-1""#, "PyPI", low).replace("CRITICAL", "");
        assert!(lent("PYSEC-1", &[own, github.clone()]).iter().all(|(_, source)| source == "PyPA"));
        let debian = osv("CVE-1", "", "Debian:12", "").replace("CRITICAL", "");
        assert!(lent("CVE-1", &[debian.clone(), github]).iter().all(|(value, _)| value.is_empty()));
        let ubuntu = osv("UBUNTU-CVE-1", r#""CVE-1""#, "Ubuntu:24.04", "");
        let go = osv("GO-1", r#""CVE-1""#, "Go", "").replace("CRITICAL", "");
        assert!(lent("GO-1", &[go, ubuntu, debian]).iter().all(|(value, _)| value.is_empty()));
    }
}
