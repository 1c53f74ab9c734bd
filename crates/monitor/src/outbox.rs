//! The outbox: a file for each notice, there until everybody has it.
//!
//! `waiting/ID.json` is written beside, synced and linked into place before [`Outbox::put`] returns, so that what was taken is not
//! lost. What has ended goes to `told/ID.json` first and out of `waiting` then. The id follows from the notice's key, so that the
//! same key is one file: it is told once. One process sends at a time, and any may put. Who tells with addresses and secrets of its own
//! has an outbox of its own.

mod disk;
pub mod queue;
mod run;

pub use queue::{Entry, Fate, Telling};
pub use run::{Said, Sending, Warned};

use crate::{Notice, To};
use base::files::FileError;
use base::{Clock, Finding, Timestamp};
use disk::Disk;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Notices that may wait.
pub const MOST: usize = 10_000;
/// How long it is known that a key was told.
pub const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// The longest text of a notice in bytes; the rest is cut.
const LONGEST_TEXT: usize = 64 << 10;
/// The longest of its other texts, and of each text of a finding.
const LONGEST_LINE: usize = 1 << 10;
/// Findings that a notice keeps, and lines that were seen of each.
const MOST_FINDINGS: usize = 200;
const MOST_EVIDENCE: usize = 10;
/// Bytes of JSON that they may take together.
const ROOM: usize = 1 << 20;

/// Why a notice was not taken, or the outbox cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// So many wait already.
    #[error("{MOST} notices wait already: nobody takes them")]
    Full,
    /// It has no room in a file.
    #[error("the notice with everybody who is told of it is larger than {} MiB", disk::LARGEST >> 20)]
    TooLarge,
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file holds no notice.
    #[error("`{path}` holds no notice: {why}")]
    Broken {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What became of a notice that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on disk and will be told.
    Waiting,
    /// Its key waits already or was told within the last 30 days.
    Known,
    /// Nobody is to be told.
    Nobody,
}

/// All that is in an outbox.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What waits, the oldest first.
    pub waiting: Vec<Entry>,
    /// What was told or given up, the newest first.
    pub told: Vec<Entry>,
    /// Files that are no notices.
    pub broken: Vec<String>,
}

/// An outbox. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Outbox {
    disk: Arc<Disk>,
    wake: Arc<Notify>,
}

impl Outbox {
    /// The outbox in a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, OutboxError> {
        Ok(Self { disk: Arc::new(Disk::open(folder)?), wake: Arc::default() })
    }

    /// Puts a notice for some people. What is too long is cut. When this returns the notice survives everything that the disk does.
    ///
    /// # Errors
    /// When too many wait, or it cannot be written.
    pub fn put(&self, notice: &Notice, to: &[To], clock: &dyn Clock) -> Result<Put, OutboxError> {
        let now = clock.now();
        let tellings: Vec<Telling> = to.iter().map(|to| Telling::new(to.receiver.clone(), to.address.clone(), now)).collect();
        if tellings.is_empty() {
            return Ok(Put::Nobody);
        }
        let entry = Entry { notice: bounded(notice), since: now, tellings };
        let put = self.disk.put(&id(&notice.key), &entry, now)?;
        self.wake.notify_one();
        Ok(put)
    }

    /// Everything in it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Listing, OutboxError> {
        let (mut waiting, mut broken) = self.disk.all(disk::WAITING)?;
        let (mut told, more) = self.disk.all(disk::TOLD)?;
        broken.extend(more);
        waiting.sort_by_key(|entry| entry.since);
        told.sort_by_key(|entry| std::cmp::Reverse(entry.ended()));
        Ok(Listing { waiting, told, broken })
    }
}

/// The id of a key: 128 bits of its SHA-256 in hex.
pub fn id(key: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    base::ids::hex(digest.as_ref().get(..16).unwrap_or_default())
}

/// What a stage found may be of any size, and a notice has to be read again.
fn bounded(notice: &Notice) -> Notice {
    let mut notice = notice.clone();
    cut(&mut notice.text, LONGEST_TEXT, "\n(cut)");
    for line in [&mut notice.key, &mut notice.project, &mut notice.subject] {
        cut(line, LONGEST_LINE, " (cut)");
    }
    notice.url = notice.url.filter(|url| url.len() <= LONGEST_LINE);
    let (found, mut room) = (notice.findings.len(), ROOM);
    notice.findings.truncate(MOST_FINDINGS);
    notice.findings.iter_mut().for_each(bound);
    notice.findings.retain(|finding| {
        let length = serde_json::to_string(finding).map_or(usize::MAX, |text| text.len());
        room.checked_sub(length).inspect(|left| room = *left).is_some()
    });
    let left_out = found - notice.findings.len();
    if left_out > 0 {
        notice.text.push_str(&format!("\n({left_out} findings are left out)"));
    }
    notice
}

fn bound(finding: &mut Finding) {
    let Finding { rule, message, help, evidence, place, .. } = finding;
    evidence.truncate(MOST_EVIDENCE);
    let places = [&mut place.file, &mut place.object, &mut place.field].into_iter().flatten();
    [rule, message, help].into_iter().chain(evidence).chain(places).for_each(|text| cut(text, LONGEST_LINE, " (cut)"));
}

fn cut(text: &mut String, longest: usize, mark: &str) {
    if text.len() > longest {
        let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(mark);
    }
}

/// Whether a told entry is old enough to be forgotten.
fn is_old(entry: &Entry, now: Timestamp) -> bool {
    entry.tellings.iter().map(|telling| telling.at).max().is_none_or(|at| now.since(at) > KEPT)
}
