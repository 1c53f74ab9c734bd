//! What all threads of a run share, and what others may see of each while it works.

use crate::config::Amount;
use crate::pace::Pacer;
use crate::tally::Tally;
use crate::target::Target;
use crate::tls::Secure;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What all threads of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub target: Target,
    pub address: SocketAddr,
    pub secure: Option<Secure>,
    pub pacer: Pacer,
    pub amount: Amount,
    pub timeout: Duration,
    pub keep_alive: bool,
    pub start: Instant,
    pub stop: AtomicBool,
}

impl Shared {
    /// Since the start of the run.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Whether the run was given up.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A thread's counts, of nothing yet.
    pub fn tally(&self) -> Tally {
        Tally::new(if let Amount::Time(time) = self.amount { Some(time) } else { None })
    }
}

/// What others may see of a thread while it works.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Seen {
    /// Shows how far it is.
    pub fn show(&self, tally: &Tally) {
        self.done.store(tally.ok + tally.failed, Ordering::Relaxed);
        self.failed.store(tally.failed, Ordering::Relaxed);
    }

    /// Requests that ended, and those that failed.
    pub fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}
