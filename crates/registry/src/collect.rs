//! What may go: tags beyond the last N, manifests that went with them, blobs that no manifest names.
//!
//! Decided and carried out in one step of the one writer, so that nothing can come to need what is being removed. What
//! somebody has pushed or asked for within the grace, or since the oldest upload session of the repository began, stays: a
//! manifest that names it may be on its way.

use crate::digest::Digest;
use crate::index::{Index, Repository};
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
    let before = reach(room, room.tags.values().map(|tag| &tag.digest));
    let after = reach(room, room.tags.iter().filter(|(tag, _)| !victims.contains(tag)).map(|(_, tag)| &tag.digest));
    let mut gone: HashSet<&Digest> = before
        .difference(&after)
        .copied()
        .filter(|digest| room.manifests.get(digest).is_some_and(|it| it.facts.at < rules.cutoff))
        .collect();
    if let Some(oldest) = rules.untagged {
        let young = room.manifests.iter().filter(|(_, it)| it.facts.at >= oldest.min(rules.cutoff)).map(|(digest, _)| digest);
        let held = reach(room, young);
        gone.extend(room.manifests.keys().filter(|digest| !before.contains(digest) && !held.contains(digest)));
    }
    victims.iter().for_each(|tag| removal.tag(name, tag));
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

/// Tags beyond the last N, the oldest first, with those that stand for referrers of what they lead to; and whether there are more.
fn superfluous<'a>(room: &'a Repository, rules: &Rules) -> (Vec<&'a Arc<str>>, bool) {
    let Some(keep) = rules.keep else { return (Vec::new(), false) };
    let mut own: Vec<_> = room.tags.iter().filter(|(tag, _)| subject_of_tag(tag).is_none()).collect();
    own.sort_by_key(|(name, tag)| (tag.set, *name));
    own.truncate(own.len().saturating_sub(keep));
    let mut victims: Vec<_> = own.into_iter().filter(|(_, tag)| tag.set < rules.cutoff).map(|(name, _)| name).collect();
    let more = victims.len() > TAGS_AT_ONCE;
    victims.truncate(TAGS_AT_ONCE);
    let chosen: HashSet<_> = victims.iter().copied().collect();
    let left: HashSet<&Digest> = room.tags.iter().filter(|(name, _)| !chosen.contains(name)).map(|(_, tag)| &tag.digest).collect();
    let orphaned = room.tags.iter().filter(|(name, tag)| {
        subject_of_tag(name).is_some_and(|subject| {
            let subject = Digest::parse(&subject).ok();
            let led = victims.iter().filter_map(|victim| room.tags.get(*victim)).any(|victim| Some(&victim.digest) == subject.as_ref());
            led && subject.is_some_and(|subject| !left.contains(&subject)) && tag.set < rules.cutoff
        })
    });
    victims.extend(orphaned.map(|(name, _)| name).collect::<Vec<_>>());
    (victims, more)
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
fn reach<'a>(room: &'a Repository, from: impl Iterator<Item = &'a Digest>) -> HashSet<&'a Digest> {
    let mut reached = HashSet::new();
    let mut ahead: Vec<&Digest> = from.collect();
    while let Some(digest) = ahead.pop() {
        let Some((digest, manifest)) = room.manifests.get_key_value(digest) else { continue };
        if reached.insert(digest) {
            ahead.extend(&manifest.facts.manifests);
            ahead.extend(room.referrers.get(digest).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
