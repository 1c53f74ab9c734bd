//! What makes changes durable.

pub mod disk;
pub mod file;
pub mod frame;
pub mod memory;

use crate::state::Tree;
use crate::types::Revision;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// One change as it is journaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Arc<str>,
    /// The change.
    pub revision: Revision,
    /// What it is now; `None` when it was deleted.
    pub value: Option<Bytes>,
}

/// What a replay tells, in this order: entries of the snapshot, its revision, changes since.
#[derive(Debug)]
pub enum Replayed {
    /// A key of the snapshot.
    Entry(Record),
    /// The snapshot was of this revision.
    Restored(Revision),
    /// A change; may be older than the snapshot.
    Change(Record),
}

/// Work that writes a snapshot and removes what it replaces; run anywhere, at any time.
pub type Checkpoint = Box<dyn FnOnce() -> Result<(), JournalError> + Send>;

/// Where changes are kept.
pub trait Journal: Send {
    /// Tells all that is kept; called once, first.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged in a way that leaves nothing to stand on.
    fn replay(&mut self, tell: &mut dyn FnMut(Replayed)) -> Result<Report, JournalError>;
    /// Keeps changes; returns when they are durable.
    ///
    /// # Errors
    /// When there is no room (nothing was written), or the disk failed (nothing may be written any more).
    fn append(&mut self, records: &[Record]) -> Result<(), AppendError>;
    /// Whether enough was appended that a snapshot is due.
    fn wants_checkpoint(&self) -> bool;
    /// Cuts the journal here and gives the work of writing a snapshot of everything up to here.
    ///
    /// # Errors
    /// When no new file can be begun; the journal then goes on as before.
    fn checkpoint(&mut self, tree: &Tree, revision: Revision) -> Result<Option<Checkpoint>, JournalError>;
}

/// Encrypts values on their way to the disk.
pub trait Seal: Send + Sync {
    /// Whether values of this key are encrypted.
    fn seals(&self, key: &str) -> bool;
    /// Encrypts; bound to the key, so that a value cannot be moved to another.
    fn seal(&self, key: &str, plain: &[u8]) -> Vec<u8>;
    /// Decrypts; `None` when it was not encrypted with this secret for this key.
    fn open(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Why changes could not be appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// No room; nothing was written.
    #[error("{0}")]
    Full(String),
    /// The disk failed.
    #[error("{0}")]
    Failed(String),
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("cannot {verb} `{file}`: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file of the folder.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A snapshot does not pass its checks, so what it held is not known. Nothing was changed.
    #[error("the snapshot `{file}` is damaged at byte {offset}: {what}; put a backup in its place")]
    Snapshot {
        /// Which file.
        file: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A value cannot be decrypted: the key file is not the one that it was encrypted with.
    #[error("`{key}` cannot be decrypted with the key file that is here")]
    Sealed {
        /// Which key.
        key: String,
    },
}

impl JournalError {
    pub(crate) fn io(verb: &'static str, file: &str, source: std::io::Error) -> Self {
        Self::Io { verb, file: file.to_owned(), source }
    }
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries of the snapshot.
    pub entries: usize,
    /// Changes since.
    pub changes: usize,
    /// What could not be read; empty when all is well.
    pub damage: Vec<Damage>,
}

/// A stretch of the journal that could not be read, and was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The last write was cut short, as a crash or a power cut does; it had not been acknowledged.
    TornTail {
        /// Which file.
        file: String,
        /// Where the readable part ends.
        offset: u64,
        /// Bytes after it that are not zero, up to the last such.
        bytes_dropped: u64,
    },
    /// Bytes that had been acknowledged have changed: what follows them is lost. The file is kept beside, as `NAME.damaged`.
    Corrupt {
        /// Which file.
        file: String,
        /// Where the readable part ends.
        offset: u64,
        /// Bytes after it that are not zero, up to the last such.
        bytes_dropped: u64,
        /// Readable batches after it, which cannot be used without the one that is missing.
        batches_lost: usize,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornTail { file, offset, bytes_dropped } => {
                write!(
                    f,
                    "the last write to `{file}` was cut short: {bytes_dropped} bytes at byte {offset} dropped; none of it was acknowledged"
                )
            }
            Self::Corrupt { file, offset, bytes_dropped, batches_lost } => write!(
                f,
                "`{file}` is damaged at byte {offset}: {bytes_dropped} bytes and {batches_lost} later batches that were acknowledged are lost"
            ),
        }
    }
}
