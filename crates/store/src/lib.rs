//! Revisioned keys with watch, held in memory, made durable by an append-only journal.
//!
//! Every read and every watch is answered from memory. A commit is checked against memory, written to the journal
//! together with all others that wait, acknowledged by `fdatasync`, and only then seen by readers and watchers.

pub mod journal;
mod state;
mod store;
mod types;
mod watch;
mod writer;

pub use journal::{Damage, JournalError, Report, Seal};
pub use store::{Options, Page, Store};
pub use types::{CommitError, Compacted, Entry, Event, Expect, Op, Revision, Txn};
pub use watch::{Watch, WatchEnd};
