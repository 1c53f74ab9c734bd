//! Whether and when a call is tried again: pure, so that every run can be replayed from its seed.

use crate::failure::{Failure, FailureKind};
use base::Timestamp;
use std::time::Duration;

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same call again after this time.
    Again(Duration),
    /// The same call again with a clock that is off by so many microseconds.
    Adjust(i64),
    /// The same call again with new credentials.
    Renew,
    /// Nothing: the failure is told.
    GiveUp,
}

/// What was tried so far of one call.
#[derive(Clone, Debug)]
pub struct Retry {
    seed: u64,
    tries: u32,
    adjusted: bool,
    renewed: bool,
    unsupported: bool,
    began: Timestamp,
    patience: Duration,
}

/// Doubled with every try.
const FIRST: Duration = Duration::from_millis(500);
/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(20);
/// For as long as a service says that it is too busy, or is not there, it is asked again.
const PATIENCE: Duration = Duration::from_secs(300);
/// Time outside of which signatures are refused; a difference below it is no skew.
const SKEW: i64 = 60_000_000;

impl Retry {
    /// Before the first try.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self { seed, tries: 0, adjusted: false, renewed: false, unsupported: false, began: now, patience: PATIENCE }
    }

    /// The same for something that need not be had: it is asked for no longer than this.
    #[must_use]
    pub fn for_at_most(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How often it was tried again.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// What is done about a failure that came at `now` by our own clock.
    pub fn next(&mut self, failure: &Failure, now: Timestamp) -> Next {
        let skew = failure.their_time.map(|theirs| theirs.micros() - now.micros());
        match failure.kind {
            // Some services name a skewed clock as a wrong signature: their time tells.
            FailureKind::Skewed | FailureKind::Unknown | FailureKind::Expired
                if !self.adjusted && skew.is_some_and(|skew| skew.abs() > SKEW) =>
            {
                self.adjusted = true;
                Next::Adjust(skew.unwrap_or_default())
            }
            FailureKind::Expired | FailureKind::Unknown if !self.renewed => {
                self.renewed = true;
                Next::Renew
            }
            FailureKind::Throttled | FailureKind::Server | FailureKind::Lost => self.again(now),
            // A garbled answer may be a proxy's; once is enough.
            FailureKind::Unreadable if !self.unsupported => {
                self.unsupported = true;
                self.again(now)
            }
            _ => Next::GiveUp,
        }
    }

    /// Full jitter: any time up to a bound that doubles, so that many that were refused together do not come together again.
    fn again(&mut self, now: Timestamp) -> Next {
        if now.since(self.began) > self.patience {
            return Next::GiveUp;
        }
        let bound = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries += 1;
        let part = u32::try_from(random(self.seed, self.tries) % 1000).unwrap_or(0);
        // Never none at all: a loop of failures must not spin.
        Next::Again(bound * (part + 1) / 1000)
    }
}

/// The n-th number of a seed (splitmix64).
pub(crate) fn random(seed: u64, n: u32) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(n)));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn waits_longer_and_gives_up_in_the_end() {
        let throttled = Failure::new("DescribeStacks", FailureKind::Throttled, "Rate exceeded");
        let (mut total, mut highest) = (Duration::ZERO, Duration::ZERO);
        let mut retry = Retry::new(7, at(0));
        loop {
            let now = at(0).plus(total);
            match retry.next(&throttled, now) {
                Next::Again(time) => {
                    assert!(time > Duration::ZERO && time <= LONGEST);
                    (total, highest) = (total + time, highest.max(time));
                }
                Next::GiveUp => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(total > PATIENCE && total < PATIENCE + LONGEST, "{total:?}");
        assert!(highest > LONGEST / 2 && retry.tries() > 15, "{highest:?}, {}", retry.tries());
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let throttled = Failure::new("x", FailureKind::Throttled, "");
        let waits = |seed| {
            let mut retry = Retry::new(seed, at(0));
            (0..6).map(|_| retry.next(&throttled, at(0))).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn a_skewed_clock_is_set_once_and_credentials_are_renewed_once() {
        let mut skewed = Failure::new("x", FailureKind::Skewed, "");
        skewed.their_time = Some(at(4000));
        let mut retry = Retry::new(1, at(0));
        assert_eq!(retry.next(&skewed, at(1000)), Next::Adjust(3_000_000_000));
        assert_eq!(retry.next(&skewed, at(4000)), Next::GiveUp);
        let expired = Failure { kind: FailureKind::Expired, ..skewed };
        let mut retry = Retry::new(1, at(0));
        assert_eq!(retry.next(&expired, at(4000)), Next::Renew);
        assert_eq!(retry.next(&expired, at(4000)), Next::GiveUp);
        assert_eq!(retry.next(&Failure::new("x", FailureKind::Denied, ""), at(0)), Next::GiveUp);
    }
}
