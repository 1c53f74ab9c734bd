//! What came out of a run.

use crate::judge::{Before, Saturation};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// `status`, `refused`, `reset`, `closed`, `time-out`, `protocol`, `tls`, `connect`, `not-sent`, or `generator`: this machine
    /// had no room for it.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

/// What the generator itself did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Threads.
    pub threads: usize,
    /// Processor time that they used.
    pub cpu_seconds: f64,
    /// Time that they waited for a processor, where the kernel tells.
    pub queued_seconds: f64,
}

impl Generator {
    pub(crate) fn add(&mut self, other: &Self) {
        self.threads += other.threads;
        self.cpu_seconds += other.cpu_seconds;
        self.queued_seconds += other.queued_seconds;
    }

    /// The part of `seconds` that a thread was on a processor, and that it wanted to be.
    pub(crate) fn busy(&self, seconds: f64) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "there are few threads")]
        let all = (seconds * self.threads as f64).max(1e-9);
        (self.cpu_seconds / all, (self.cpu_seconds + self.queued_seconds) / all)
    }
}

/// Everything that is known of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked.
    pub url: String,
    /// Its method.
    pub method: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: String,
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
    /// Connections on which more came than was asked for.
    pub surplus: u64,
    /// Bytes of answers; of HTTP/2 those of their bodies.
    pub bytes: u64,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Requests that ended, per second; of those that ended in the time that was set.
    pub rate: f64,
    /// Requests per second that were to be due; open loop only.
    pub wanted_rate: Option<f64>,
    /// Requests per second that were sent; open loop only.
    pub sent_rate: Option<f64>,
    /// Whether it was told to end before all that was asked for was sent.
    #[serde(default)]
    pub ended_early: bool,
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
    /// What the generator itself did.
    pub generator: Generator,
    /// What was measured before.
    pub before: Option<Before>,
    /// Set when nothing was measured.
    pub saturated: Option<Saturation>,
    /// What a reader of the figures must know, in words.
    pub notes: Vec<String>,
    /// Limits that were not kept, in words.
    pub broken: Vec<String>,
    /// `good`, `limits not kept` or `not measured`.
    pub verdict: String,
}

impl Report {
    /// Whether it was measured, and all limits kept.
    pub fn is_good(&self) -> bool {
        self.saturated.is_none() && self.broken.is_empty()
    }

    /// The times that count: from when requests were due, where they were.
    pub fn times(&self) -> &Percentiles {
        self.corrected.as_ref().unwrap_or(&self.service)
    }
}
