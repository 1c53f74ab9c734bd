//! What may go: tags beyond the last N, manifests that went with them, blobs that no manifest names.
//!
//! Decided and carried out in one step of the one writer, so that nothing can come to need what is being removed. What
//! somebody has pushed or asked for within the grace, or since the oldest upload session of the repository began, stays: a
//! manifest that names it may be on its way.

use crate::digest::Digest;
use crate::index::{Index, Manifest, Repository, Tag};
use crate::record::Record;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What is kept how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For so long after it was pushed or asked for a blob stays without a manifest, and a tag without a place among the last.
    pub grace: Duration,
    /// How many tags of a repository stay, those that were set last; by the first pattern that fits its name.
    pub keep: Vec<Keep>,
    /// For so long a manifest stays that no tag leads to; `None` is for ever.
    pub untagged: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: Duration::from_secs(3600), keep: Vec::new(), untagged: None }
    }
}

/// How many tags stay in the repositories of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Which repositories, as [`crate::rights`] writes patterns.
    pub pattern: String,
    /// How many.
    pub tags: usize,
}

/// What a collection has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Tags.
    pub tags: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs of repositories.
    pub blobs: u64,
    /// Bytes of contents that were removed because no repository has them any more.
    pub bytes: u64,
    /// There is more to remove.
    #[serde(skip)]
    pub(crate) more: bool,
}

impl Collected {
    pub(crate) fn add(&mut self, other: &Self) {
        self.tags += other.tags;
        self.manifests += other.manifests;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
    }
}

/// The rules for one repository at one moment; times in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// What is younger stays.
    pub(crate) cutoff: i64,
    pub(crate) keep: Option<usize>,
    /// Manifests without a tag that are older go.
    pub(crate) untagged: Option<i64>,
}

/// In one step; more are done in the next, so that pushes in between do not wait long.
const TAGS_AT_ONCE: usize = 64;
const BLOBS_AT_ONCE: usize = 10_000;

/// Removes things from repositories, and what is then in none.
pub(crate) struct Removal<'a> {
    index: &'a Index,
    records: Vec<Record>,
    unlinked: HashMap<Digest, u32>,
    pub(crate) collected: Collected,
}

impl<'a> Removal<'a> {
    pub(crate) fn new(index: &'a Index) -> Self {
        Self { index, records: Vec::new(), unlinked: HashMap::new(), collected: Collected::default() }
    }

    pub(crate) fn tag(&mut self, repository: &Arc<str>, tag: &Arc<str>) {
        self.records.push(Record::NoTag { repository: repository.clone(), tag: tag.clone() });
        self.collected.tags += 1;
    }

    pub(crate) fn manifest(&mut self, repository: &Arc<str>, digest: &Digest) {
        self.records.push(Record::NoManifest { repository: repository.clone(), digest: digest.clone() });
        *self.unlinked.entry(digest.clone()).or_default() += 1;
        self.collected.manifests += 1;
    }

    pub(crate) fn blob(&mut self, repository: &Arc<str>, digest: &Digest) {
        self.records.push(Record::NoBlob { repository: repository.clone(), digest: digest.clone() });
        *self.unlinked.entry(digest.clone()).or_default() += 1;
        self.collected.blobs += 1;
    }

    /// All records, those of contents that nobody has any more at the end.
    pub(crate) fn finish(mut self) -> (Vec<Record>, Collected) {
        for (digest, count) in self.unlinked {
            let content = self.index.contents.get(&digest).filter(|content| content.links <= count);
            if let Some((_, _, size)) = content.and_then(|content| content.kept) {
                self.collected.bytes += size;
                self.records.push(Record::NoContent { digest });
            }
        }
        (self.records, self.collected)
    }
}

/// What of a repository goes now.
pub(crate) fn plan(index: &Index, name: &Arc<str>, rules: &Rules) -> (Vec<Record>, Collected) {
    let mut removal = Removal::new(index);
    let Some(room) = index.repositories.get(name) else { return removal.finish() };
    let (victims, mut more) = superfluous(room, rules);
    let ties = Ties::of(room, rules);
    let gone = manifests(room, rules, &victims, &ties);
    victims.iter().for_each(|tag| removal.tag(name, tag));
    ties.0.iter().filter(|tie| gone.contains(&tie.subject)).for_each(|tie| removal.tag(name, tie.tag));
    gone.iter().for_each(|digest| removal.manifest(name, digest));
    let needed: HashSet<&Digest> =
        room.manifests.iter().filter(|(digest, _)| !gone.contains(digest)).flat_map(|(_, it)| it.facts.all_blobs()).collect();
    let unneeded =
        room.blobs.iter().filter(|(digest, blob)| !needed.contains(digest) && blob.touched.load(Ordering::Relaxed) < rules.cutoff);
    for (number, (digest, _)) in unneeded.enumerate() {
        if number == BLOBS_AT_ONCE {
            more = true;
            break;
        }
        removal.blob(name, digest);
    }
    let (records, mut collected) = removal.finish();
    collected.more = more;
    (records, collected)
}

/// Tags beyond the last N, the oldest first; and whether there are more.
fn superfluous<'a>(room: &'a Repository, rules: &Rules) -> (HashSet<&'a Arc<str>>, bool) {
    let Some(keep) = rules.keep else { return (HashSet::new(), false) };
    let mut own: Vec<_> = room.tags.iter().filter(|(tag, _)| subject_of_tag(tag).is_none()).collect();
    own.sort_by_key(|(name, tag)| (tag.set, *name));
    own.truncate(own.len().saturating_sub(keep));
    let old: Vec<_> = own.into_iter().filter(|(_, tag)| tag.set < rules.cutoff).map(|(name, _)| name).collect();
    (old.iter().take(TAGS_AT_ONCE).copied().collect(), old.len() > TAGS_AT_ONCE)
}

/// Manifests that go: what only the tags that go led to, and what is too old without a tag; nothing that one which stays needs.
fn manifests<'a>(room: &'a Repository, rules: &Rules, victims: &HashSet<&Arc<str>>, ties: &Ties<'a>) -> HashSet<&'a Digest> {
    let before = reach(room, ties, room.tags.values().map(|tag| &tag.digest));
    let tied: HashSet<_> = ties.0.iter().map(|tie| tie.tag).collect();
    let left = room.tags.iter().filter(|(tag, _)| !victims.contains(tag) && !tied.contains(tag));
    let after = reach(room, ties, left.map(|(_, tag)| &tag.digest));
    let goes = |(digest, manifest): &(&Digest, &Manifest)| {
        let (led, at) = (before.contains(digest), manifest.facts.at);
        let old = at < rules.cutoff && (led || rules.untagged.is_some_and(|oldest| at < oldest));
        old && !after.contains(digest)
    };
    let mut gone: HashSet<&Digest> = room.manifests.iter().filter(goes).map(|(digest, _)| digest).collect();
    // Most of the time nothing goes at all.
    if !gone.is_empty() {
        let staying = room.manifests.keys().filter(|digest| !gone.contains(digest));
        let needed = reach(room, ties, staying);
        gone.retain(|digest| !needed.contains(digest));
    }
    gone
}

/// Tags that stand for referrers of manifests which the repository has, and are not young: they stay and go with these.
struct Ties<'a>(Vec<Tie<'a>>);

struct Tie<'a> {
    subject: Digest,
    tag: &'a Arc<str>,
    referrer: &'a Digest,
}

impl<'a> Ties<'a> {
    /// In the order of their subjects.
    fn of(room: &'a Repository, rules: &Rules) -> Self {
        let tie = |(name, tag): (&'a Arc<str>, &'a Tag)| {
            let subject = Digest::parse(&subject_of_tag(name)?).ok()?;
            let tied = tag.set < rules.cutoff && room.manifests.contains_key(&subject);
            tied.then_some(Tie { subject, tag: name, referrer: &tag.digest })
        };
        let mut ties: Vec<_> = room.tags.iter().filter_map(tie).collect();
        ties.sort_by(|one, other| one.subject.cmp(&other.subject));
        Self(ties)
    }

    fn referrers(&self, subject: &Digest) -> impl Iterator<Item = &'a Digest> {
        let from = self.0.partition_point(|tie| tie.subject < *subject);
        self.0.iter().skip(from).take_while(move |tie| tie.subject == *subject).map(|tie| tie.referrer)
    }
}

/// The digest that a tag of the referrers tag schema is about (distribution spec, "Referrers Tag Schema"); signers put an
/// ending such as `.sig` behind it.
fn subject_of_tag(tag: &str) -> Option<String> {
    let (algorithm, rest) = tag.split_once('-')?;
    let digits = rest.get(..64)?;
    let ending = rest.get(64..)?;
    let named = algorithm == "sha256" && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (named && (ending.is_empty() || ending.starts_with('.'))).then(|| format!("sha256:{digits}"))
}

/// Manifests that some lead to: what they list, and what refers to them.
fn reach<'a>(room: &'a Repository, ties: &Ties<'a>, from: impl Iterator<Item = &'a Digest>) -> HashSet<&'a Digest> {
    let mut reached = HashSet::new();
    let mut ahead: Vec<&Digest> = from.collect();
    while let Some(digest) = ahead.pop() {
        let Some((digest, manifest)) = room.manifests.get_key_value(digest) else { continue };
        if reached.insert(digest) {
            ahead.extend(&manifest.facts.manifests);
            ahead.extend(room.referrers.get(digest).into_iter().flatten());
            ahead.extend(ties.referrers(digest));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use crate::index::At;
    use crate::record::Facts;
    use proptest::collection::vec;
    use proptest::{option, prelude::*};

    #[test]
    fn tags_for_referrers_are_known() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig")] {
            assert_eq!(subject_of_tag(&tag), Some(format!("sha256:{hex}")));
        }
        for tag in ["v1", "sha256-abc", &format!("sha256-{hex}x"), &format!("v-{hex}")] {
            assert_eq!(subject_of_tag(tag), None, "{tag}");
        }
    }

    /// A manifest: which of those before it it lists and refers to, and when it came.
    type Made = (Vec<bool>, Option<usize>, i64);
    /// A tag: what it names, whether it stands for a referrer and of what, and when it was set.
    type Named = (usize, Option<usize>, i64);

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_le_bytes())
    }

    fn filled(made: &[Made], named: &[Named], name: &Arc<str>) -> Index {
        let mut index = Index::default();
        let mut apply = |record: &Record| index.apply(record, At { segment: 0, offset: 0, length: 1 }, 0, 0);
        for (number, (lists, subject, at)) in made.iter().enumerate() {
            let manifests = (0..number).filter(|other| lists.get(*other) == Some(&true)).map(digest).collect();
            let facts = Facts {
                media_type: String::new(),
                subject: subject.filter(|subject| *subject < number).map(digest),
                blobs: vec![digest(100 + number)],
                elsewhere: Vec::new(),
                manifests,
                at: *at,
            };
            apply(&Record::Blob { repository: name.clone(), digest: digest(100 + number) });
            apply(&Record::Manifest { repository: name.clone(), digest: digest(number), facts: Arc::new(facts) });
        }
        for (number, (what, subject, at)) in named.iter().enumerate() {
            let tag = subject.map_or(format!("v{number}"), |subject| digest(subject).to_string().replace(':', "-")).into();
            let digest = digest(*what % made.len());
            apply(&Record::Tag { repository: name.clone(), tag, digest, at: *at });
        }
        index
    }

    proptest! {
        #[test]
        fn nothing_that_stays_lacks_what_it_had(
            made in vec((vec(any::<bool>(), 8), option::of(0..8_usize), 0..10_i64), 1..9),
            named in vec((0..8_usize, option::of(0..8_usize), 0..10_i64), 0..8),
            (cutoff, keep, untagged) in (0..12_i64, option::of(0..4_usize), option::of(0..12_i64)),
        ) {
            let name: Arc<str> = "a".into();
            let (mut index, rules) = (filled(&made, &named, &name), Rules { cutoff, keep, untagged });
            let (records, _) = plan(&index, &name, &rules);
            for record in &records {
                index.apply(record, At { segment: 0, offset: 0, length: 1 }, 0, 0);
            }
            let (again, _) = plan(&index, &name, &rules);
            prop_assert!(again.is_empty(), "{again:?} comes only the second time");
            let Some(room) = index.repositories.get(&name) else { return Ok(()) };
            let there = |digest: &Digest| room.manifests.contains_key(digest);
            for manifest in room.manifests.values() {
                prop_assert!(manifest.facts.manifests.iter().all(there) && room.blobs.contains_key(&manifest.facts.blobs[0]));
            }
            prop_assert!(room.tags.values().all(|tag| there(&tag.digest)));
            for (number, (_, subject, at)) in made.iter().enumerate() {
                // What refers to something that stays has not gone; what is young neither.
                let held = subject.is_some_and(|subject| subject < number && there(&digest(subject)));
                prop_assert!(there(&digest(number)) || !held && *at < cutoff, "{number} has gone");
            }
        }
    }
}
