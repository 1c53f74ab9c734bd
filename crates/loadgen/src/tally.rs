//! Counting, for one thread; put together at the end.

use crate::failure::{Answer, Broken, Failure};
use crate::pace::Turn;
use crate::report::{ErrorCount, Generator, Percentiles, Report};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Times are kept from 1 ns to this, with three digits.
const LONGEST: Duration = Duration::from_secs(3600);
/// Examples of each kind of failure.
const EXAMPLES: usize = 3;

/// A request on its way; times count from the start of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub turn: Turn,
    /// Since when there was a connection for it.
    pub free: Duration,
    /// When it was sent.
    pub sent: Duration,
}

/// When requests were sent: how many, the first, the last.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    count: u64,
    first: Duration,
    last: Duration,
}

/// The counts of one thread.
#[derive(Debug)]
pub(crate) struct Tally {
    pub ok: u64,
    pub failed: u64,
    pub retried: u64,
    pub connections: u64,
    /// Connections on which more came than was asked for.
    pub surplus: u64,
    pub generator: Generator,
    bytes: u64,
    waited: u64,
    /// When the time that was set is over, and how many requests had ended until then.
    until: Option<Duration>,
    in_time: u64,
    sent: Sent,
    statuses: BTreeMap<u16, u64>,
    errors: BTreeMap<Failure, ErrorCount>,
    service: Histogram<u64>,
    corrected: Histogram<u64>,
    lateness: Histogram<u64>,
}

impl Tally {
    /// Of nothing yet; `until` is when the time that was set is over.
    pub fn new(until: Option<Duration>) -> Self {
        let times = || Histogram::new_with_bounds(1, nanos(LONGEST), 3).expect("1 ns to an hour with three digits is a histogram");
        Self {
            ok: 0,
            failed: 0,
            retried: 0,
            connections: 0,
            surplus: 0,
            generator: Generator::default(),
            bytes: 0,
            waited: 0,
            until,
            in_time: 0,
            sent: Sent::default(),
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            service: times(),
            corrected: times(),
            lateness: times(),
        }
    }

    /// A request is to be sent now; whether its time is not over yet.
    pub fn takes(&mut self, asked: &Asked, timeout: Duration) -> bool {
        let Asked { turn, free, sent } = *asked;
        if let Some(due) = turn.counted() {
            self.waited += u64::from(free > due);
            self.lateness.saturating_record(nanos(sent.saturating_sub(due.max(free))).max(1));
            if sent.saturating_sub(due) >= timeout {
                return false;
            }
        }
        if self.sent.count == 0 {
            self.sent.first = sent;
        }
        self.sent.count += 1;
        self.sent.last = sent;
        true
    }

    /// A request has ended.
    pub fn ended(&mut self, asked: &Asked, end: Duration, outcome: Result<Answer, Broken>) {
        if let Some(due) = asked.turn.counted() {
            self.corrected.saturating_record(nanos(end.saturating_sub(due)).max(1));
        }
        self.in_time += u64::from(self.until.is_none_or(|until| end <= until));
        match outcome {
            Ok(answer) => {
                self.bytes += answer.bytes;
                *self.statuses.entry(answer.status).or_default() += 1;
                if (200..400).contains(&answer.status) {
                    self.ok += 1;
                    self.service.saturating_record(nanos(end.saturating_sub(asked.sent)).max(1));
                } else {
                    self.fail(Failure::Status, || format!("{}: {}", answer.status, printable(&answer.example)));
                }
            }
            Err(broken) => self.fail(broken.kind, || broken.detail),
        }
    }

    fn fail(&mut self, kind: Failure, example: impl FnOnce() -> String) {
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
        self.surplus += other.surplus;
        self.generator.add(&other.generator);
        self.bytes += other.bytes;
        self.waited += other.waited;
        self.in_time += other.in_time;
        if other.sent.count > 0 {
            self.sent.first = if self.sent.count == 0 { other.sent.first } else { self.sent.first.min(other.sent.first) };
            self.sent.last = self.sent.last.max(other.sent.last);
            self.sent.count += other.sent.count;
        }
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

    /// The time that was set was not used up.
    pub fn ends_early(&mut self) {
        self.until = None;
    }

    /// After `time`; what the run knows beyond these counts is filled in by the caller.
    pub fn report(self, time: Duration, open: bool) -> Report {
        // An answer that is waited for when the time is over makes nothing slower.
        let rate = per_second(self.in_time, self.until.unwrap_or(time));
        Report {
            requests: self.ok + self.failed,
            ok: self.ok,
            failed: self.failed,
            retried: self.retried,
            connections: self.connections,
            surplus: self.surplus,
            bytes: self.bytes,
            seconds: time.as_secs_f64(),
            rate,
            sent_rate: open.then(|| per_second(self.sent.count.saturating_sub(1), self.sent.last.saturating_sub(self.sent.first))),
            statuses: self.statuses,
            errors: self.errors.into_values().collect(),
            service: Percentiles::of(&self.service),
            corrected: open.then(|| Percentiles::of(&self.corrected)),
            lateness: open.then(|| Percentiles::of(&self.lateness)),
            waited: self.waited,
            generator: self.generator,
            ..Report::default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 requests are not reached")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

/// The beginning of a body as it can be shown: foreign bytes never reach a terminal.
fn printable(bytes: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(bytes).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Result<Answer, Broken> {
        Ok(Answer { status, bytes: 10, example: b"no\x1b[1mroom".to_vec() })
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn threads_add_up() {
        let (mut all, mut one) = (Tally::new(None), Tally::new(None));
        all.ended(&Asked::default(), at(1), answer(200));
        one.ended(&Asked { sent: at(5), ..Asked::default() }, at(8), answer(302));
        for text in ["a", "a", "b"] {
            one.ended(&Asked::default(), at(1), Err(Broken::new(Failure::Reset, text)));
        }
        all.ended(&Asked::default(), at(1), Err(Broken::new(Failure::Reset, "a")));
        all.ended(&Asked::default(), at(1), answer(503));
        all.add(one);
        let report = all.report(Duration::from_secs(2), false);
        assert_eq!((report.ok, report.failed, report.rate, report.bytes), (2, 5, 3.5, 30));
        let reset = ErrorCount { kind: "reset".to_owned(), count: 4, examples: vec!["a".to_owned(), "b".to_owned()] };
        let status = ErrorCount { kind: "status".to_owned(), count: 1, examples: vec!["503: no [1mroom".to_owned()] };
        assert_eq!(report.errors, [status, reset]);
        assert!((report.service.max_us - 3000.0).abs() < 3.0 && report.corrected.is_none());
    }

    #[test]
    fn an_open_loop_counts_from_when_it_was_due() {
        let mut tally = Tally::new(Some(at(100)));
        for (due, free, sent, end) in [(10, 0, 11, 12), (20, 50, 50, 60), (99, 60, 99, 150)] {
            let turn = Turn { due: Some(at(due)), counts: true };
            let asked = Asked { turn, free: at(free), sent: at(sent) };
            assert!(tally.takes(&asked, Duration::from_secs(1)));
            tally.ended(&asked, at(end), answer(200));
        }
        let report = tally.report(at(150), true);
        let close = |told: f64, wanted: f64| (told / wanted - 1.0).abs() < 0.002;
        assert_eq!((report.waited, report.requests), (1, 3));
        assert!(close(report.rate, 20.0), "two ended within the 100 ms: {}", report.rate);
        assert!(close(report.sent_rate.expect("open"), 2.0 / 0.088));
        assert!(close(report.corrected.expect("open").p50_us, 40_000.0) && close(report.service.max_us, 51_000.0));
        assert!(close(report.lateness.expect("open").max_us, 1_000.0));
    }
}
