//! Whether an index may take the place of another: never an older one, never one that is stale, never two of one number.

use super::index::Head;
use base::Timestamp;
use oci::Digest;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Clocks differ; an index may seem to come from so far ahead.
const AHEAD: Duration = Duration::from_secs(24 * 3_600);

/// The last index of a publisher that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its number.
    pub sequence: u64,
    /// Its content ([`super::index::Index::digest`]).
    pub digest: Digest,
}

/// Why an index is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is older than what is there: a rollback.
    #[error("the index is rolled back: it is number {offered}, of {created}, and number {installed} is installed")]
    RolledBack {
        /// Its number.
        offered: u64,
        /// When it was built.
        created: Timestamp,
        /// The number of what is there.
        installed: u64,
    },
    /// Another of the same number is there.
    #[error("the index is not the one that is installed, and both are number {0}")]
    Forked(u64),
    /// It is past its time: a freeze.
    #[error("the index is frozen: it was fresh until {fresh_until}, and it is {now}")]
    Frozen {
        /// Until when it was fresh.
        fresh_until: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// It says that it was built in the future.
    #[error("the index says that it is of {created}, and it is {now}")]
    Ahead {
        /// When it says that it was built.
        created: Timestamp,
        /// The time.
        now: Timestamp,
    },
}

/// What to do with an index that may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Put it in place.
    New,
    /// It is in place already.
    Same,
}

/// Decides, by the last index of the same publisher.
///
/// # Errors
/// Why it is not taken.
pub fn decide(seen: Option<&Seen>, offered: &Head, digest: &Digest, now: Timestamp) -> Result<Taken, Refused> {
    if offered.created > now.plus(AHEAD) {
        return Err(Refused::Ahead { created: offered.created, now });
    }
    if let Some(there) = seen {
        if offered.sequence < there.sequence {
            return Err(Refused::RolledBack { offered: offered.sequence, created: offered.created, installed: there.sequence });
        }
        if offered.sequence == there.sequence && *digest != there.digest {
            return Err(Refused::Forked(offered.sequence));
        }
    }
    if offered.fresh_until < now {
        return Err(Refused::Frozen { fresh_until: offered.fresh_until, now });
    }
    Ok(if seen.is_some_and(|there| there.digest == *digest) { Taken::Same } else { Taken::New })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_other_and_stale_ones_are_refused_by_name() {
        let day = |day: i64| Timestamp::from_micros(day * 86_400_000_000);
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let head = |sequence| Head { created: day(10), fresh_until: day(20), sequence, ..Head::default() };
        let seen = Seen { sequence: 5, digest: one };
        let decided = |sequence, digest: &Digest, now| decide(Some(&seen), &head(sequence), digest, day(now));
        assert_eq!(decide(None, &head(1), &one, day(11)), Ok(Taken::New));
        assert_eq!(decided(5, &one, 11), Ok(Taken::Same));
        assert_eq!(decided(6, &other, 11), Ok(Taken::New));
        assert_eq!(decided(5, &other, 11), Err(Refused::Forked(5)));
        assert!(decided(4, &other, 11).expect_err("older").to_string().contains("rolled back"));
        assert!(decided(6, &other, 21).expect_err("stale").to_string().contains("frozen"));
        assert!(matches!(decided(6, &other, 8), Err(Refused::Ahead { .. })));
    }
}
