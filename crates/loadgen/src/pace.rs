//! When each request is due. Pure: times are counted from the start of the run.

use crate::config::{Amount, Pace};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Hands out turns to all connections of a run.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    amount: Amount,
    next: AtomicU64,
    ended: AtomicBool,
}

/// One connection's place in its own time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    last: Option<Duration>,
}

/// One request to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// When to send it; in the past where it is late already. `None` is at once.
    pub due: Option<Duration>,
    /// Whether latency counts from `due`.
    pub counts: bool,
}

impl Turn {
    /// When it was due, where latency counts from that.
    pub fn counted(self) -> Option<Duration> {
        self.due.filter(|_| self.counts)
    }
}

impl Pacer {
    pub fn new(pace: Pace, amount: Amount) -> Self {
        Self { pace, amount, next: AtomicU64::new(0), ended: AtomicBool::new(false) }
    }

    /// When requests are sent.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Hands out nothing any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to end.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The next turn of a connection that is free at `now`; `None` ends it.
    pub fn take(&self, now: Duration, own: &mut Own) -> Option<Turn> {
        if self.is_ended() {
            return None;
        }
        // Where nothing depends on the number, threads need not share it.
        let counted = matches!(self.amount, Amount::Requests(_)) || matches!(self.pace, Pace::Arrivals(_));
        let index = if counted { self.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        if matches!(self.amount, Amount::Requests(count) if index >= count) {
            return None;
        }
        let turn = match self.pace {
            Pace::Free => Turn { due: None, counts: false },
            Pace::PerConnection(rate) => {
                let due = own.last.map_or(now, |last| last + Duration::from_secs_f64(1.0 / rate)).max(now);
                own.last = Some(due);
                Turn { due: Some(due), counts: false }
            }
            Pace::Arrivals(rate) => Turn { due: Some(arrival(index, rate)), counts: true },
        };
        let sent = turn.due.unwrap_or(now);
        // What was due before the end belongs to the run, however late it is sent.
        let ended = matches!(self.amount, Amount::Time(time) if sent >= time);
        (!ended).then_some(turn)
    }
}

/// When the request of this number is due: from the whole, so that rounding never adds up.
fn arrival(index: u64, rate: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "2^53 requests are not reached")]
    Duration::from_secs_f64(index as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn arrivals_keep_their_times_however_late_connections_are() {
        let pacer = Pacer::new(Pace::Arrivals(100.0), Amount::Time(at(50)));
        let mut own = Own::default();
        let due: Vec<_> = [0, 0, 900, 900, 901].map(|now| pacer.take(at(now), &mut own).and_then(|turn| turn.due)).into();
        assert_eq!(due, [0, 10, 20, 30, 40].map(|due| Some(at(due))));
        assert_eq!(pacer.take(at(901), &mut own), None);
    }

    #[test]
    fn a_million_arrivals_do_not_drift() {
        assert_eq!(arrival(3_000_000, 3_000.0), at(1_000_000));
        assert_eq!(arrival(1, 1e7), Duration::from_nanos(100));
    }

    #[test]
    fn a_connections_own_rate_makes_nothing_up() {
        let pacer = Pacer::new(Pace::PerConnection(10.0), Amount::Requests(4));
        let mut own = Own::default();
        let due: Vec<_> = [0, 50, 500, 510, 520].map(|now| pacer.take(at(now), &mut own).and_then(|turn| turn.due)).into();
        assert_eq!(due, [Some(at(0)), Some(at(100)), Some(at(500)), Some(at(600)), None]);
    }

    #[test]
    fn nothing_is_handed_out_after_the_end() {
        let pacer = Pacer::new(Pace::Arrivals(10.0), Amount::Requests(4));
        assert!(pacer.take(at(0), &mut Own::default()).is_some());
        pacer.end();
        assert_eq!(pacer.take(at(0), &mut Own::default()), None);
    }

    #[test]
    fn time_ends_what_is_free() {
        let pacer = Pacer::new(Pace::Free, Amount::Time(at(5)));
        assert!(pacer.take(at(4), &mut Own::default()).is_some());
        assert_eq!(pacer.take(at(5), &mut Own::default()), None);
    }
}
