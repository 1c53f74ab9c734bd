//! What came out of a run.

use crate::config::Limits;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A distribution of times, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Shortest.
    pub min_us: f64,
    /// Mean.
    pub mean_us: f64,
    /// Standard deviation.
    pub stdev_us: f64,
    /// Half are shorter.
    pub p50_us: f64,
    /// Three quarters are shorter.
    pub p75_us: f64,
    /// 90 %.
    pub p90_us: f64,
    /// 95 %.
    pub p95_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// Longest.
    pub max_us: f64,
}

impl Percentiles {
    /// Of a histogram of nanoseconds.
    pub(crate) fn of(times: &Histogram<u64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ns")]
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let at = |quantile: f64| micros(times.value_at_quantile(quantile));
        if times.is_empty() {
            return Self::default();
        }
        Self {
            count: times.len(),
            min_us: micros(times.min()),
            mean_us: times.mean() / 1000.0,
            stdev_us: times.stdev() / 1000.0,
            p50_us: at(0.5),
            p75_us: at(0.75),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(times.max()),
        }
    }
}

/// Failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// `status`, `refused`, `reset`, `closed`, `time-out`, `protocol`, `connect` or `not-sent`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

/// That the generator itself was too slow for the rate that was asked for, so that nothing was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// In words, with the way out.
    pub reason: String,
}

/// Everything that is known of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked.
    pub url: String,
    /// Its method.
    pub method: String,
    /// Connections at a time.
    pub concurrency: usize,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Answered with 2xx or 3xx.
    pub ok: u64,
    /// Another answer, a reset, a refusal, a time-out.
    pub failed: u64,
    /// Idempotent requests sent a second time because a connection in use was closed before any byte of the answer came.
    pub retried: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Bytes of answers.
    pub bytes: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests that ended, per second.
    pub rate: f64,
    /// Requests per second that were to be due; open loop only.
    pub wanted_rate: Option<f64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Failures by kind.
    pub errors: Vec<ErrorCount>,
    /// From sending a request to the end of its answer; requests that ended well.
    pub service: Percentiles,
    /// From the moment that a request was due to the end of its answer, failures included; open loop only.
    pub corrected: Option<Percentiles>,
    /// How late requests were sent by our own doing, a free connection at hand; open loop only.
    pub lateness: Option<Percentiles>,
    /// Requests that were due while all connections were in use; open loop only.
    pub waited: u64,
    /// Processor time that the generator used.
    pub cpu_seconds: f64,
    /// Set when nothing was measured.
    pub saturated: Option<Saturation>,
    /// What a reader of the figures must know, in words.
    pub notes: Vec<String>,
    /// Limits that were not kept, in words.
    pub broken: Vec<String>,
}

impl Report {
    /// Whether it was measured, and all limits kept.
    pub fn is_good(&self) -> bool {
        self.saturated.is_none() && self.broken.is_empty()
    }

    pub(crate) fn judge(&mut self, limits: &Limits) {
        if let Some(most) = limits.max_failed.filter(|most| self.failed > *most) {
            self.broken.push(format!("{} of {} requests failed, at most {most} may", self.failed, self.requests));
        }
        let p99 = self.corrected.map_or(self.service.p99_us, |corrected| corrected.p99_us);
        if let Some(most) = limits.p99 {
            if self.ok == 0 {
                self.broken.push("no request was answered well, so that 99 % took no time at all".to_owned());
            } else if Duration::from_secs_f64(p99 / 1e6) > most {
                self.broken.push(format!("99 % took up to {:.1} ms, at most {:.1} ms may be", p99 / 1000.0, most.as_secs_f64() * 1000.0));
            }
        }
        self.saturated = self.saturation();
    }

    /// An open loop that is late by itself as a rule measures itself.
    fn saturation(&self) -> Option<Saturation> {
        let lateness = self.lateness?;
        let wanted = self.wanted_rate.unwrap_or_default();
        (lateness.p50_us > LATE_US.max(self.service.p50_us)).then(|| Saturation {
            reason: format!(
                "half of the requests were sent more than {:.1} ms late with a connection free: this machine is too busy for {wanted:.0} requests a second; lower `--rate`, or run it elsewhere",
                lateness.p50_us / 1000.0
            ),
        })
    }

    /// What a reader of the figures must know. `threads` is how many the generator had.
    pub(crate) fn remark(&mut self, threads: usize) {
        if let Some(lateness) = self.lateness.filter(|lateness| lateness.p99_us > LATE_US) {
            self.notes.push(format!(
                "1 % of the requests were sent more than {:.1} ms late by the generator itself; their latency includes that",
                lateness.p99_us / 1000.0
            ));
        }
        if self.waited > self.requests / 100 {
            self.notes.push(format!("{} of {} requests were due while all connections were in use: a higher `-c` shows whether the service or the connections are the limit", self.waited, self.requests));
        }
        #[expect(clippy::cast_precision_loss, reason = "there are few threads")]
        let busy = self.cpu_seconds / (self.seconds * threads as f64).max(1e-9);
        if busy > 0.9 {
            self.notes.push("the generator used all of its processor time: the service may be faster than this".to_owned());
        }
    }
}

/// Lateness below this is no matter.
const LATE_US: f64 = 5_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let service = Percentiles { p50_us: 200.0, p99_us: 900.0, ..Percentiles::default() };
        Report { requests: 100, ok: 98, failed: 2, service, ..Report::default() }
    }

    #[test]
    fn limits_are_judged_by_the_time_that_counts() {
        let mut good = report();
        good.judge(&Limits { max_failed: Some(2), p99: Some(Duration::from_millis(1)) });
        assert!(good.is_good(), "{good:?}");
        let mut bad = report();
        bad.corrected = Some(Percentiles { p99_us: 1_001.0, ..Percentiles::default() });
        bad.judge(&Limits { max_failed: Some(1), p99: Some(Duration::from_millis(1)) });
        assert_eq!(bad.broken.len(), 2, "{bad:?}");
        let mut none = Report::default();
        none.judge(&Limits { max_failed: None, p99: Some(Duration::from_millis(1)) });
        assert_eq!(none.broken.len(), 1);
    }

    #[test]
    fn own_lateness_is_told() {
        let late = |p50_us, p99_us| {
            let mut report = report();
            report.lateness = Some(Percentiles { p50_us, p99_us, ..Percentiles::default() });
            report.judge(&Limits::default());
            report.remark(2);
            (report.saturated.is_some(), report.notes.len())
        };
        assert_eq!([late(6_000.0, 9_000.0), late(4_000.0, 6_000.0), late(10.0, 100.0)], [(true, 1), (false, 1), (false, 0)]);
    }
}
