//! What the log is made of: one record for each thing that became true, in the order in which it did.
//!
//! The last word on a name stands. A record that says that something is there refers only to what earlier ones brought, so
//! that every beginning of the log is a consistent store.

use crate::digest::Digest;
use bytes::Bytes;
use std::sync::Arc;

/// Where content is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the log itself, right here.
    Here(Bytes),
    /// In a file of its own, by number.
    File(u64),
}

/// One thing that became true. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Content is kept.
    Content {
        /// Of the content.
        digest: Digest,
        /// Bytes.
        size: u64,
        /// Where.
        kept: Kept,
    },
    /// Content is no longer kept.
    NoContent {
        /// Of the content.
        digest: Digest,
    },
    /// A repository has a blob.
    Blob {
        /// Which repository.
        repository: Arc<str>,
        /// Which blob.
        digest: Digest,
    },
    /// A repository no longer has a blob.
    NoBlob {
        /// Which repository.
        repository: Arc<str>,
        /// Which blob.
        digest: Digest,
    },
    /// A repository has a manifest.
    Manifest {
        /// Which repository.
        repository: Arc<str>,
        /// Which manifest.
        digest: Digest,
        /// What it is.
        facts: Arc<Facts>,
    },
    /// A repository no longer has a manifest.
    NoManifest {
        /// Which repository.
        repository: Arc<str>,
        /// Which manifest.
        digest: Digest,
    },
    /// A tag names a manifest.
    Tag {
        /// Which repository.
        repository: Arc<str>,
        /// The tag.
        tag: Arc<str>,
        /// What it names.
        digest: Digest,
        /// When it was set.
        at: i64,
    },
    /// A tag is gone.
    NoTag {
        /// Which repository.
        repository: Arc<str>,
        /// The tag.
        tag: Arc<str>,
    },
}

/// What is known of a manifest without reading it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// As it was pushed.
    pub media_type: String,
    /// What it refers to (distribution spec, "Pushing Manifests with Subject").
    pub subject: Option<Digest>,
    /// Configuration, layers and blobs that it names.
    pub blobs: Vec<Digest>,
    /// Layers that need not be pushed (image spec, layer.md "Non-Distributable Layers").
    pub elsewhere: Vec<Digest>,
    /// Manifests that it lists.
    pub manifests: Vec<Digest>,
    /// When it was pushed.
    pub at: i64,
}

impl Facts {
    /// All blobs that it names.
    pub fn all_blobs(&self) -> impl Iterator<Item = &Digest> {
        self.blobs.iter().chain(&self.elsewhere)
    }
}

const CONTENT_HERE: u8 = 1;
const CONTENT_FILE: u8 = 2;
const NO_CONTENT: u8 = 3;
const BLOB: u8 = 4;
const NO_BLOB: u8 = 5;
const MANIFEST: u8 = 6;
const NO_MANIFEST: u8 = 7;
const TAG: u8 = 8;
const NO_TAG: u8 = 9;

impl Record {
    /// Adds the record to `out`; where content that is kept here begins in `out`.
    pub fn encode(&self, out: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Content { digest, kept: Kept::Here(bytes), .. } => {
                put_digest(put(out, CONTENT_HERE), digest);
                put_length(out, bytes.len());
                out.extend_from_slice(bytes);
                return Some(out.len() - bytes.len());
            }
            Self::Content { digest, size, kept: Kept::File(number) } => {
                put_digest(put(out, CONTENT_FILE), digest);
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::NoContent { digest } => put_digest(put(out, NO_CONTENT), digest),
            Self::Blob { repository, digest } => put_digest(put_text(put(out, BLOB), repository), digest),
            Self::NoBlob { repository, digest } => put_digest(put_text(put(out, NO_BLOB), repository), digest),
            Self::Manifest { repository, digest, facts } => {
                put_digest(put_text(put(out, MANIFEST), repository), digest);
                put_facts(out, facts);
            }
            Self::NoManifest { repository, digest } => put_digest(put_text(put(out, NO_MANIFEST), repository), digest),
            Self::Tag { repository, tag, digest, at } => {
                put_digest(put_text(put_text(put(out, TAG), repository), tag), digest);
                out.extend_from_slice(&at.to_le_bytes());
            }
            Self::NoTag { repository, tag } => {
                put_text(put_text(put(out, NO_TAG), repository), tag);
            }
        }
        None
    }
}

fn put(out: &mut Vec<u8>, mark: u8) -> &mut Vec<u8> {
    out.push(mark);
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    // What is longer than 4 GiB is refused long before it comes here.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text<'a>(out: &'a mut Vec<u8>, text: &str) -> &'a mut Vec<u8> {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
    out
}

fn put_digest(out: &mut Vec<u8>, digest: &Digest) {
    let bytes = digest.bytes();
    out.push(u8::try_from(bytes.len()).unwrap_or(0));
    out.extend_from_slice(bytes);
}

fn put_facts(out: &mut Vec<u8>, facts: &Facts) {
    put_text(out, &facts.media_type);
    out.extend_from_slice(&facts.at.to_le_bytes());
    out.push(u8::from(facts.subject.is_some()));
    if let Some(subject) = &facts.subject {
        put_digest(out, subject);
    }
    for list in [&facts.blobs, &facts.elsewhere, &facts.manifests] {
        put_length(out, list.len());
        list.iter().for_each(|digest| put_digest(out, digest));
    }
}

/// Reads the records of a payload one after the other.
pub struct Records {
    payload: Bytes,
    at: usize,
}

/// A record, and where it stands in its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The record.
    pub record: Record,
    /// Where it begins.
    pub at: usize,
    /// Where content that is kept here begins.
    pub content_at: usize,
    /// Bytes of all of it.
    pub length: usize,
}

/// The payload is no list of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no record stands at byte {0}")]
pub struct NoRecord(pub usize);

impl Records {
    /// Of a payload.
    pub fn new(payload: Bytes) -> Self {
        Self { payload, at: 0 }
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.payload.len())?;
        let taken = self.payload.slice(self.at..end);
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take(4)?.as_ref().try_into().ok()?)).ok()
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    fn time(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let length = self.length()?;
        Some(std::str::from_utf8(&self.take(length)?).ok()?.into())
    }

    fn digest(&mut self) -> Option<Digest> {
        let length = self.byte()?;
        Digest::from_bytes(&self.take(usize::from(length))?)
    }

    fn digests(&mut self) -> Option<Vec<Digest>> {
        // Grows as they come: the number is only what the payload says.
        (0..self.length()?).map(|_| self.digest()).collect()
    }

    fn facts(&mut self) -> Option<Arc<Facts>> {
        let (media_type, at) = (self.text()?.to_string(), self.time()?);
        let subject = if self.byte()? == 0 { None } else { Some(self.digest()?) };
        Some(Arc::new(Facts { media_type, subject, at, blobs: self.digests()?, elsewhere: self.digests()?, manifests: self.digests()? }))
    }

    fn record(&mut self) -> Option<(Record, usize)> {
        let record = match self.byte()? {
            CONTENT_HERE => {
                let (digest, length) = (self.digest()?, self.length()?);
                let (at, bytes) = (self.at, self.take(length)?);
                return Some((Record::Content { digest, size: length as u64, kept: Kept::Here(bytes) }, at));
            }
            CONTENT_FILE => Record::Content { digest: self.digest()?, size: self.long()?, kept: Kept::File(self.long()?) },
            NO_CONTENT => Record::NoContent { digest: self.digest()? },
            BLOB => Record::Blob { repository: self.text()?, digest: self.digest()? },
            NO_BLOB => Record::NoBlob { repository: self.text()?, digest: self.digest()? },
            MANIFEST => Record::Manifest { repository: self.text()?, digest: self.digest()?, facts: self.facts()? },
            NO_MANIFEST => Record::NoManifest { repository: self.text()?, digest: self.digest()? },
            TAG => Record::Tag { repository: self.text()?, tag: self.text()?, digest: self.digest()?, at: self.time()? },
            NO_TAG => Record::NoTag { repository: self.text()?, tag: self.text()? },
            _ => return None,
        };
        Some((record, self.at))
    }
}

impl Iterator for Records {
    type Item = Result<Placed, NoRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        if at >= self.payload.len() {
            return None;
        }
        let Some((record, content_at)) = self.record() else {
            self.at = self.payload.len();
            return Some(Err(NoRecord(at)));
        };
        Some(Ok(Placed { record, at, content_at, length: self.at - at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    fn all() -> Vec<Record> {
        let short = Digest::of(Algorithm::Sha256, b"a");
        let long = Digest::of(Algorithm::Sha512, b"a");
        let repository: Arc<str> = "a/b".into();
        let facts = Facts {
            media_type: "application/x".into(),
            subject: Some(long.clone()),
            blobs: vec![short.clone(), long.clone()],
            elsewhere: vec![long.clone()],
            manifests: vec![short.clone()],
            at: -7,
        };
        vec![
            Record::Content { digest: short.clone(), size: 5, kept: Kept::Here(Bytes::from_static(b"hello")) },
            Record::Content { digest: long.clone(), size: 1 << 40, kept: Kept::File(77) },
            Record::NoContent { digest: short.clone() },
            Record::Blob { repository: repository.clone(), digest: long.clone() },
            Record::NoBlob { repository: repository.clone(), digest: short.clone() },
            Record::Manifest { repository: repository.clone(), digest: short.clone(), facts: Arc::new(facts) },
            Record::NoManifest { repository: repository.clone(), digest: long.clone() },
            Record::Tag { repository: repository.clone(), tag: "v1".into(), digest: short, at: i64::MAX },
            Record::NoTag { repository, tag: "v1".into() },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let mut payload = Vec::new();
        let contents: Vec<_> = all().iter().map(|record| record.encode(&mut payload)).collect();
        let read: Vec<Placed> = Records::new(payload.into()).collect::<Result<_, _>>().expect("records");
        assert_eq!(read.iter().map(|placed| placed.record.clone()).collect::<Vec<_>>(), all());
        assert_eq!(contents.first().copied().flatten(), read.first().map(|placed| placed.content_at));
    }

    #[test]
    fn no_cut_and_no_changed_byte_panics() {
        let mut payload = Vec::new();
        for record in all() {
            record.encode(&mut payload);
        }
        for at in 0..payload.len() {
            let cut = Bytes::copy_from_slice(&payload[..at]);
            assert!(Records::new(cut).count() <= all().len());
            let mut changed = payload.clone();
            changed[at] ^= 0xff;
            let _ = Records::new(changed.into()).count();
        }
    }
}
