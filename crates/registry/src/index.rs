//! What is true now, in memory: contents, repositories, and how much of each segment of the log still counts.

use crate::digest::Digest;
use crate::record::{Facts, Kept, Record};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where a record stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// Where content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the log, from this byte of the segment of its record.
    Log(u32),
    /// In a file of its own.
    File(u64),
}

/// Content, or the want of it.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// `None` when it is not kept: something refers to it all the same.
    pub(crate) kept: Option<(At, Place, u64)>,
    /// How many blobs and manifests of repositories it is.
    pub(crate) links: u32,
}

/// A blob of a repository.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) at: At,
    /// When somebody pushed it or asked for it, microseconds since 1970: whoever did may be about to push a manifest.
    pub(crate) touched: AtomicI64,
}

/// A manifest of a repository.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) at: At,
    pub(crate) facts: Arc<Facts>,
}

/// A tag of a repository.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) at: At,
    pub(crate) digest: Digest,
    pub(crate) set: i64,
}

/// A repository; there is none without anything in it.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    pub(crate) blobs: HashMap<Digest, Blob>,
    pub(crate) manifests: HashMap<Digest, Manifest>,
    pub(crate) tags: BTreeMap<Arc<str>, Tag>,
    /// By subject.
    pub(crate) referrers: HashMap<Digest, BTreeSet<Digest>>,
}

impl Repository {
    fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.manifests.is_empty() && self.tags.is_empty()
    }

    /// A manifest that names a blob.
    pub(crate) fn needs(&self, blob: &Digest) -> Option<&Digest> {
        self.manifests.iter().find(|(_, manifest)| manifest.facts.all_blobs().any(|named| named == blob)).map(|(digest, _)| digest)
    }

    fn forget_referrer(&mut self, digest: &Digest, subject: Option<&Digest>) {
        let Some(subject) = subject else { return };
        if let Some(known) = self.referrers.get_mut(subject) {
            known.remove(digest);
            if known.is_empty() {
                self.referrers.remove(subject);
            }
        }
    }
}

/// A segment of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<File>,
    /// Bytes of records that are the last word.
    pub(crate) live: u64,
    /// Part of it could not be read: it is kept as it is.
    pub(crate) damaged: bool,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) contents: HashMap<Digest, Content>,
    pub(crate) repositories: BTreeMap<Arc<str>, Repository>,
    pub(crate) segments: BTreeMap<u32, Segment>,
}

impl Index {
    /// Takes in a record; the number of a file that nothing refers to any more.
    pub(crate) fn apply(&mut self, record: &Record, at: At, content_at: u32, now: i64) -> Option<u64> {
        match record {
            Record::Content { digest, size, kept } => {
                self.count(Some(at), None);
                let place = match kept {
                    Kept::Here(_) => Place::Log(content_at),
                    Kept::File(number) => Place::File(*number),
                };
                let before = self.contents.entry(digest.clone()).or_default().kept.replace((at, place, *size));
                return self.superseded(before, Some(place));
            }
            Record::NoContent { digest } => {
                let content = self.contents.get_mut(digest)?;
                let before = content.kept.take();
                if content.links == 0 {
                    self.contents.remove(digest);
                }
                return self.superseded(before, None);
            }
            Record::Blob { repository, digest } => {
                let blob = Blob { at, touched: AtomicI64::new(now) };
                let before = self.repository(repository).blobs.insert(digest.clone(), blob).map(|before| before.at);
                self.count(Some(at), before);
                self.link(digest, before.is_none());
            }
            Record::NoBlob { repository, digest } => {
                let before = self.repositories.get_mut(repository)?.blobs.remove(digest)?;
                self.count(None, Some(before.at));
                self.unlink(repository, Some(digest));
            }
            Record::Manifest { repository, digest, facts } => {
                let room = self.repository(repository);
                if let Some(subject) = &facts.subject {
                    room.referrers.entry(subject.clone()).or_default().insert(digest.clone());
                }
                let before = room.manifests.insert(digest.clone(), Manifest { at, facts: facts.clone() });
                self.count(Some(at), before.as_ref().map(|before| before.at));
                self.link(digest, before.is_none());
            }
            Record::NoManifest { repository, digest } => {
                let room = self.repositories.get_mut(repository)?;
                let before = room.manifests.remove(digest)?;
                room.forget_referrer(digest, before.facts.subject.as_ref());
                self.count(None, Some(before.at));
                self.unlink(repository, Some(digest));
            }
            Record::Tag { repository, tag, digest, at: set } => {
                let new = Tag { at, digest: digest.clone(), set: *set };
                let before = self.repository(repository).tags.insert(tag.clone(), new).map(|before| before.at);
                self.count(Some(at), before);
            }
            Record::NoTag { repository, tag } => {
                let before = self.repositories.get_mut(repository)?.tags.remove(tag)?;
                self.count(None, Some(before.at));
                self.unlink(repository, None);
            }
        }
        None
    }

    fn repository(&mut self, name: &Arc<str>) -> &mut Repository {
        self.repositories.entry(name.clone()).or_default()
    }

    fn count(&mut self, now: Option<At>, before: Option<At>) {
        if let Some((segment, at)) = now.and_then(|at| Some((self.segments.get_mut(&at.segment)?, at))) {
            segment.live += u64::from(at.length);
        }
        if let Some((segment, at)) = before.and_then(|at| Some((self.segments.get_mut(&at.segment)?, at))) {
            segment.live = segment.live.saturating_sub(u64::from(at.length));
        }
    }

    fn superseded(&mut self, before: Option<(At, Place, u64)>, now: Option<Place>) -> Option<u64> {
        let (at, place, _) = before?;
        self.count(None, Some(at));
        match place {
            Place::File(number) if now != Some(place) => Some(number),
            _ => None,
        }
    }

    fn link(&mut self, digest: &Digest, new: bool) {
        if new {
            self.contents.entry(digest.clone()).or_default().links += 1;
        }
    }

    fn unlink(&mut self, repository: &Arc<str>, digest: Option<&Digest>) {
        if self.repositories.get(repository).is_some_and(Repository::is_empty) {
            self.repositories.remove(repository);
        }
        let Some(digest) = digest else { return };
        if let Some(content) = self.contents.get_mut(digest) {
            content.links = content.links.saturating_sub(1);
            if content.links == 0 && content.kept.is_none() {
                self.contents.remove(digest);
            }
        }
    }

    /// Whether the record at a place is the last word on its name.
    pub(crate) fn is_current(&self, record: &Record, at: At) -> bool {
        let room = |repository| self.repositories.get(repository);
        let found = match record {
            Record::Content { digest, .. } => self.contents.get(digest).and_then(|content| content.kept).map(|(at, ..)| at),
            Record::Blob { repository, digest } => room(repository).and_then(|room| room.blobs.get(digest)).map(|blob| blob.at),
            Record::Manifest { repository, digest, .. } => {
                room(repository).and_then(|room| room.manifests.get(digest)).map(|manifest| manifest.at)
            }
            Record::Tag { repository, tag, .. } => room(repository).and_then(|room| room.tags.get(tag)).map(|tag| tag.at),
            _ => None,
        };
        found == Some(at)
    }

    /// Whether the name that a record says is gone is gone: it may have come back since.
    pub(crate) fn is_gone(&self, record: &Record) -> bool {
        let room = |repository| self.repositories.get(repository);
        match record {
            Record::NoContent { digest } => self.contents.get(digest).is_none_or(|content| content.kept.is_none()),
            Record::NoBlob { repository, digest } => room(repository).is_none_or(|room| !room.blobs.contains_key(digest)),
            Record::NoManifest { repository, digest } => room(repository).is_none_or(|room| !room.manifests.contains_key(digest)),
            Record::NoTag { repository, tag } => room(repository).is_none_or(|room| !room.tags.contains_key(tag)),
            _ => false,
        }
    }

    /// Content that is kept.
    pub(crate) fn kept(&self, digest: &Digest) -> Option<(At, Place, u64)> {
        self.contents.get(digest)?.kept
    }

    /// Whether a repository has a blob whose content is kept; it is then held for whoever asks.
    pub(crate) fn has_blob(&self, repository: &str, digest: &Digest, now: i64) -> bool {
        let blob = self.repositories.get(repository).and_then(|room| room.blobs.get(digest));
        blob.is_some_and(|blob| {
            blob.touched.fetch_max(now, Ordering::Relaxed);
            self.kept(digest).is_some()
        })
    }

    /// Whether a repository has a manifest whose content is kept.
    pub(crate) fn has_manifest(&self, repository: &str, digest: &Digest) -> bool {
        self.repositories.get(repository).is_some_and(|room| room.manifests.contains_key(digest)) && self.kept(digest).is_some()
    }
}
