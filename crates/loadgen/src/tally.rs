//! Counting, for one thread; put together at the end.

use crate::report::{ErrorCount, Percentiles, Report};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Times are kept from 1 ns to this, with three digits.
const LONGEST: Duration = Duration::from_secs(3600);
/// Examples of each kind of failure.
const EXAMPLES: usize = 3;

/// How one request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Status,
    Refused,
    Reset,
    Closed,
    TimeOut,
    Protocol,
    Connect,
    NotSent,
}

impl Failure {
    const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TimeOut => "time-out",
            Self::Protocol => "protocol",
            Self::Connect => "connect",
            Self::NotSent => "not-sent",
        }
    }
}

/// The counts of one thread.
#[derive(Debug)]
pub(crate) struct Tally {
    pub ok: u64,
    pub failed: u64,
    pub retried: u64,
    pub connections: u64,
    pub bytes: u64,
    pub waited: u64,
    pub cpu: Duration,
    statuses: BTreeMap<u16, u64>,
    errors: BTreeMap<Failure, ErrorCount>,
    service: Histogram<u64>,
    corrected: Histogram<u64>,
    lateness: Histogram<u64>,
}

impl Tally {
    pub fn new() -> Self {
        let times = || Histogram::new_with_bounds(1, nanos(LONGEST), 3).expect("1 ns to an hour with three digits is a histogram");
        Self {
            ok: 0,
            failed: 0,
            retried: 0,
            connections: 0,
            bytes: 0,
            waited: 0,
            cpu: Duration::ZERO,
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            service: times(),
            corrected: times(),
            lateness: times(),
        }
    }

    pub fn status(&mut self, status: u16) {
        *self.statuses.entry(status).or_default() += 1;
    }

    pub fn served(&mut self, time: Duration) {
        self.ok += 1;
        self.service.saturating_record(nanos(time).max(1));
    }

    pub fn since_due(&mut self, time: Duration) {
        self.corrected.saturating_record(nanos(time).max(1));
    }

    pub fn late(&mut self, time: Duration) {
        self.lateness.saturating_record(nanos(time).max(1));
    }

    pub fn fail(&mut self, kind: Failure, example: impl FnOnce() -> String) {
        self.failed += 1;
        let entry = self.errors.entry(kind).or_insert_with(|| ErrorCount { kind: kind.name().to_owned(), ..ErrorCount::default() });
        entry.count += 1;
        if entry.examples.len() < EXAMPLES {
            let example = example();
            if !entry.examples.contains(&example) {
                entry.examples.push(example);
            }
        }
    }

    /// Adds another thread's counts.
    pub fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.retried += other.retried;
        self.connections += other.connections;
        self.bytes += other.bytes;
        self.waited += other.waited;
        self.cpu += other.cpu;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (kind, errors) in other.errors {
            let entry = self.errors.entry(kind).or_insert_with(|| ErrorCount { kind: errors.kind.clone(), ..ErrorCount::default() });
            entry.count += errors.count;
            entry.examples.extend(errors.examples);
            entry.examples.sort_unstable();
            entry.examples.dedup();
            entry.examples.truncate(EXAMPLES);
        }
        for (all, part) in
            [(&mut self.service, other.service), (&mut self.corrected, other.corrected), (&mut self.lateness, other.lateness)]
        {
            all.add(part).expect("histograms of equal bounds add up");
        }
    }

    /// What the run knows beyond these counts is filled in by the caller.
    pub fn report(self, time: Duration, open: bool) -> Report {
        let requests = self.ok + self.failed;
        #[expect(clippy::cast_precision_loss, reason = "2^53 requests are not reached")]
        let rate = requests as f64 / time.as_secs_f64().max(1e-9);
        Report {
            requests,
            ok: self.ok,
            failed: self.failed,
            retried: self.retried,
            connections: self.connections,
            bytes: self.bytes,
            seconds: time.as_secs_f64(),
            rate,
            statuses: self.statuses,
            errors: self.errors.into_values().collect(),
            service: Percentiles::of(&self.service),
            corrected: open.then(|| Percentiles::of(&self.corrected)),
            lateness: open.then(|| Percentiles::of(&self.lateness)),
            waited: self.waited,
            cpu_seconds: self.cpu.as_secs_f64(),
            ..Report::default()
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let (mut all, mut one) = (Tally::new(), Tally::new());
        all.served(Duration::from_millis(1));
        one.served(Duration::from_millis(3));
        for text in ["a", "a", "b"] {
            one.fail(Failure::Reset, || text.to_owned());
        }
        all.fail(Failure::Reset, || "a".to_owned());
        all.add(one);
        let report = all.report(Duration::from_secs(2), false);
        assert_eq!((report.ok, report.failed, report.rate), (2, 4, 3.0));
        assert_eq!(report.errors, [ErrorCount { kind: "reset".to_owned(), count: 4, examples: vec!["a".to_owned(), "b".to_owned()] }]);
        assert!((report.service.max_us - 3000.0).abs() < 3.0 && report.corrected.is_none());
    }
}
