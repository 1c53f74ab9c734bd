//! The index: every advisory in one file that is looked things up in where it lies, signed, and checked block by block as it is touched.
//!
//! All numbers are little-endian. `docs/scan.md` has the whole layout:
//!
//! ```text
//! head (96 bytes) | a SHA-256 for each block of the body | length of the signature (u32) | signature | body
//! ```
//!
//! The signature, in ssh's own form for [`NAMESPACE`], is over the head and the digests, so that opening reads no more than these.

mod read;
mod write;

use base::Timestamp;
use base::files::FileError;
use oci::signature::{PublicKey, SignError, shown, verify};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

pub use read::Match;
pub use write::{build, seal};

/// What signatures of indexes are for.
pub const NAMESPACE: &str = "wharf-advisories";
/// The media type of an index in a registry; its artefact type too.
pub const MEDIA_TYPE: &str = "application/vnd.wharf.advisories.v1";

const MAGIC: &[u8; 8] = b"WHARFADV";
const FORMAT: u32 = 1;
/// So much is checked at once.
const BLOCK: usize = 16 << 10;
const DIGEST: usize = 32;
const HEAD: usize = 96;
const LONGEST_SIGNATURE: usize = 8 << 10;

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is something else.
    #[error("this is no index of advisories: {0}")]
    Foreign(String),
    /// It is of a later format.
    #[error("the index has format {0}, and this Wharf reads format {FORMAT}")]
    Format(u32),
    /// Its signature is none.
    #[error("the index was tampered with, or damaged: {0}")]
    Signature(String),
    /// Nobody who is trusted signed it.
    #[error("the index is signed by {0}, whose key is not trusted here")]
    Untrusted(String),
    /// A part of it is not what was signed.
    #[error("the index was tampered with, or damaged: {0}")]
    Damaged(String),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It would be too large.
    #[error("the index would be larger than 4 GB")]
    TooLarge,
}

/// What stands before everything, and is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Head {
    /// When it was built.
    pub created: Timestamp,
    /// Until when it counts as fresh.
    pub fresh_until: Timestamp,
    /// Rises with every index of one publisher.
    pub sequence: u64,
    /// How many advisories it has.
    pub advisories: u32,
    /// How many packages these are about.
    pub packages: u32,
    /// Where the parts begin in the body: packages, advisories, records, texts; and the text about the whole.
    #[serde(skip)]
    pub parts: [u32; 5],
}

/// Where an index came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// What it was built from.
    #[serde(default)]
    pub sources: Vec<String>,
    /// How many advisories each ecosystem has, by OSV's name.
    #[serde(default)]
    pub ecosystems: BTreeMap<String, u32>,
}

/// Whose signature counts.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Only theirs.
    Keys(&'a [PublicKey]),
    /// Anybody's: to look at a file, not to use it.
    Anyone,
}

/// An index that was opened.
pub struct Index {
    bytes: Bytes,
    head: Head,
    key: PublicKey,
    /// Where the body begins.
    body: usize,
    /// Which blocks were found to be what was signed.
    checked: Vec<AtomicBool>,
}

enum Bytes {
    Mapped(sys::map::Mapped),
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Owned(owned) => owned,
        }
    }
}

impl Index {
    /// Opens a file, which must be one that is replaced by renaming and never written again.
    ///
    /// # Errors
    /// When it cannot be read, is no index, or is not signed by who is trusted.
    pub fn open(path: &Path, trust: Trust<'_>) -> Result<Self, IndexError> {
        let error = |error| FileError::new("open", path, error);
        let file = std::fs::File::open(path).map_err(error)?;
        if file.metadata().map_err(error)?.len() < HEAD as u64 {
            return Err(IndexError::Foreign("it is too short".to_owned()));
        }
        Self::of(Bytes::Mapped(sys::map::Mapped::open(&file).map_err(error)?), trust)
    }

    /// The same for bytes in memory.
    ///
    /// # Errors
    /// When they are no index, or not signed by who is trusted.
    pub fn from_bytes(bytes: Vec<u8>, trust: Trust<'_>) -> Result<Self, IndexError> {
        Self::of(Bytes::Owned(bytes), trust)
    }

    fn of(bytes: Bytes, trust: Trust<'_>) -> Result<Self, IndexError> {
        let cut = || IndexError::Damaged("it is cut off".to_owned());
        let (head, length) = Head::parse(&bytes)?;
        let blocks = length.div_ceil(BLOCK);
        let signed = HEAD + blocks.saturating_mul(DIGEST);
        let said = bytes.get(signed..signed.saturating_add(4)).ok_or_else(cut)?;
        let said = said.iter().rev().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        if said > LONGEST_SIGNATURE {
            return Err(IndexError::Damaged("its signature is too long".to_owned()));
        }
        let body = signed + 4 + said;
        let signature = bytes.get(signed + 4..body).ok_or_else(cut)?;
        if bytes.len() != body.saturating_add(length) {
            return Err(IndexError::Damaged(format!("it has {} bytes and should have {}", bytes.len(), body.saturating_add(length))));
        }
        let signature = std::str::from_utf8(signature).map_err(|_| IndexError::Signature("its signature is no text".to_owned()))?;
        let key = verify(NAMESPACE, bytes.get(..signed).ok_or_else(cut)?, signature).map_err(IndexError::Signature)?;
        let key = match trust {
            Trust::Anyone => key,
            Trust::Keys(keys) => {
                let known = keys.iter().find(|known| known.key_data() == key.key_data());
                known.cloned().ok_or_else(|| IndexError::Untrusted(shown(&key)))?
            }
        };
        Ok(Self { head, key, body, checked: (0..blocks).map(|_| AtomicBool::new(false)).collect(), bytes })
    }

    /// What stands before everything.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Who signed it.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The digest of the head and of all blocks' digests: the same for the same content, whoever signed it.
    pub fn digest(&self) -> oci::Digest {
        let signed = HEAD + self.checked.len() * DIGEST;
        oci::Digest::of(self.bytes.get(..signed).unwrap_or_default())
    }

    /// Reads and checks every block.
    ///
    /// # Errors
    /// When one is not what was signed.
    pub fn check(&self) -> Result<(), IndexError> {
        self.part(0, self.bytes.len() - self.body).map(drop)
    }

    /// A part of the body, checked.
    fn part(&self, at: usize, length: usize) -> Result<&[u8], IndexError> {
        let outside = || IndexError::Damaged(format!("nothing stands at {at}"));
        let body = self.bytes.get(self.body..).ok_or_else(outside)?;
        let part = body.get(at..at.checked_add(length).ok_or_else(outside)?).ok_or_else(outside)?;
        let last = (at + length).div_ceil(BLOCK);
        for (block, checked) in self.checked.iter().enumerate().take(last).skip(at / BLOCK) {
            if !checked.load(Ordering::Relaxed) {
                let content = body.chunks(BLOCK).nth(block).ok_or_else(outside)?;
                let signed = self.bytes.get(HEAD + block * DIGEST..HEAD + (block + 1) * DIGEST).ok_or_else(outside)?;
                if Sha256::digest(content).as_slice() != signed {
                    return Err(IndexError::Damaged(format!("block {block} is not what was signed")));
                }
                checked.store(true, Ordering::Relaxed);
            }
        }
        Ok(part)
    }
}

impl Head {
    /// The head and the length of the body.
    fn parse(bytes: &[u8]) -> Result<(Self, usize), IndexError> {
        let head = bytes.get(..HEAD).ok_or_else(|| IndexError::Foreign("it is too short".to_owned()))?;
        if head.get(..8) != Some(MAGIC) {
            return Err(IndexError::Foreign("it does not begin as one does".to_owned()));
        }
        let long = |at: usize| head.iter().skip(at).take(8).rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let short = |at: usize| head.iter().skip(at).take(4).rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        if short(8) != FORMAT {
            return Err(IndexError::Format(short(8)));
        }
        let time = |at: usize| Timestamp::from_micros(long(at).cast_signed());
        let length = usize::try_from(long(48)).ok().filter(|length| *length <= bytes.len());
        let length = length.ok_or_else(|| IndexError::Damaged("it is cut off".to_owned()))?;
        let parts = [short(56), short(60), short(64), short(68), short(72)];
        let head = Self { created: time(16), fresh_until: time(24), sequence: long(32), advisories: short(40), packages: short(44), parts };
        Ok((head, length))
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.created.micros().to_le_bytes());
        bytes.extend(self.fresh_until.micros().to_le_bytes());
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.advisories.to_le_bytes());
        bytes.extend(self.packages.to_le_bytes());
        bytes.extend((length as u64).to_le_bytes());
        self.parts.iter().for_each(|part| bytes.extend(part.to_le_bytes()));
        bytes.resize(HEAD, 0);
        bytes
    }
}

#[cfg(test)]
pub(crate) mod tests;
