//! What is stored, asked for and told.

use bytes::Bytes;
use std::sync::Arc;

/// Counts changes: every put and every delete has one of its own, larger than all before, also over restarts.
pub type Revision = u64;

/// One key as it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Such as `/pods./default/web`.
    pub key: Arc<str>,
    /// The change that wrote it.
    pub revision: Revision,
    /// What was put.
    pub value: Bytes,
}

/// One change, shared by everybody who watches it.
#[derive(Debug)]
pub struct Event {
    /// Which key.
    pub key: Arc<str>,
    /// Of this change.
    pub revision: Revision,
    /// What it is now; `None` when it was deleted.
    pub now: Option<Arc<Entry>>,
    /// What it was; `None` when it is new.
    pub before: Option<Arc<Entry>>,
    /// What was said with a delete: the last body of the object, with the revision of its deletion.
    pub last: Option<Bytes>,
}

impl Event {
    /// Bytes that it holds in memory, counting shared bodies.
    pub(crate) fn weight(&self) -> usize {
        let body = |entry: &Option<Arc<Entry>>| entry.as_ref().map_or(0, |entry| entry.value.len());
        128 + self.key.len() + body(&self.now) + body(&self.before) + self.last.as_ref().map_or(0, Bytes::len)
    }
}

/// What must hold for a transaction to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key stands at this revision.
    At(Arc<str>, Revision),
    /// The key is not there.
    Absent(Arc<str>),
}

/// One change of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes a key.
    Put {
        /// The key.
        key: Arc<str>,
        /// The value.
        value: Vec<u8>,
        /// Where in the value the decimal revision of this very change is inserted; `None` for nowhere.
        stamp: Option<usize>,
    },
    /// Removes a key; one that is not there makes the transaction fail.
    Delete {
        /// The key.
        key: Arc<str>,
        /// The last body, told to watchers; the revision is inserted at the offset.
        last: Option<(Vec<u8>, Option<usize>)>,
    },
}

/// Changes that are made all or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub expect: Vec<Expect>,
    /// Made in order.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Adds an expectation.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: impl Into<Arc<str>>, value: impl Into<Vec<u8>>) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), stamp: None });
        self
    }

    /// Adds a removal.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Arc<str>>) -> Self {
        self.ops.push(Op::Delete { key: key.into(), last: None });
        self
    }
}

/// Why a transaction was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// An expectation does not hold.
    #[error("`{key}` is at revision {found:?}, not as expected")]
    Conflict {
        /// Which key.
        key: Arc<str>,
        /// Where it stands; `None` when it is not there.
        found: Option<Revision>,
    },
    /// No room on the disk: nothing was written; may be tried again.
    #[error("the journal has no room: {0}")]
    Full(String),
    /// The disk failed, so nothing can be promised any more: whether this change survives a restart is not known, and no further one is taken.
    #[error("the store has stopped: {0}")]
    Stopped(String),
}

/// The revision asked for is no longer in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} is too old; the oldest kept is {oldest}")]
pub struct Compacted {
    /// Asked for.
    pub asked: Revision,
    /// What could be asked for.
    pub oldest: Revision,
}

/// Puts a revision into a body at an offset.
pub(crate) fn stamped(body: &[u8], stamp: Option<usize>, revision: Revision) -> Bytes {
    let Some((head, tail)) = stamp.and_then(|at| body.split_at_checked(at)) else { return Bytes::copy_from_slice(body) };
    let mut whole = Vec::with_capacity(body.len() + 20);
    whole.extend_from_slice(head);
    whole.extend_from_slice(revision.to_string().as_bytes());
    whole.extend_from_slice(tail);
    Bytes::from(whole)
}
