//! Whether a run was measured at all, and whether it was good enough.

use crate::config::Limits;
use crate::failure::Failure;
use crate::report::{Percentiles, Report};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Lateness below this is no matter.
const LATE_US: f64 = 5_000.0;
/// Who is behind in an open loop and at work for so much of the time cannot tell the service's waiting from its own.
const BUSY: f64 = 0.75;
/// Who waits for a processor so much of the time is slow by that.
const QUEUED: f64 = 0.25;
/// So much of a rate must be sent; stalls of a moment cost less.
const RATE_KEPT: f64 = 0.9;
/// The rate of so few requests is none.
const FEW: u64 = 10;
/// Shorter runs do not tell whether a generator was busy with them or with its beginning.
const SHORT_SECONDS: f64 = 0.3;

/// What was measured before, of another release.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Before {
    /// Whose it is.
    pub release: String,
    /// Requests that ended, per second.
    pub rate: f64,
    /// Half took less.
    pub p50_us: f64,
    /// 95 % took less.
    pub p95_us: f64,
    /// 99 % took less.
    pub p99_us: f64,
}

impl Before {
    /// What a later release is compared with.
    pub fn of(release: impl Into<String>, report: &Report) -> Self {
        let Percentiles { p50_us, p95_us, p99_us, .. } = *report.times();
        Self { release: release.into(), rate: report.rate, p50_us, p95_us, p99_us }
    }
}

/// That the generator itself was too slow, so that nothing was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// In words, with the way out.
    pub reason: String,
}

impl Report {
    /// Fills in what is to be said of limits and of the generator.
    pub(crate) fn judge(&mut self, limits: &Limits) {
        self.broken = self.failures_broken(limits).into_iter().chain(self.rate_broken()).collect();
        self.saturated = self.saturation();
        for excess in self.times_broken(limits) {
            match excess {
                Excess::Ours(sentence) => {
                    self.saturated.get_or_insert(Saturation { reason: sentence });
                }
                Excess::Theirs(sentence) => self.broken.push(sentence),
            }
        }
        // What a service itself answered stands, however busy the generator was; times do not.
        if self.saturated.is_some() && !self.failed_by_itself(limits) {
            self.broken.clear();
        }
        self.remark();
        self.verdict = match (self.broken.is_empty(), &self.saturated) {
            (false, _) => "limits not kept",
            (true, Some(_)) => "not measured",
            (true, None) => "good",
        }
        .to_owned();
    }

    fn failures_broken(&self, limits: &Limits) -> Option<String> {
        match limits.max_failed {
            Some(most) if self.failed > most => Some(format!("{} of {} requests failed, at most {most} may", self.failed, self.requests)),
            None if self.ok == 0 => Some(format!("none of {} requests was answered well", self.requests)),
            _ => None,
        }
    }

    /// What was to be put on the service and was not says nothing good of it.
    fn rate_broken(&self) -> Option<String> {
        let (wanted, sent) = (self.wanted_rate?, self.sent_rate?);
        let lost = self.requests > FEW && sent < wanted * RATE_KEPT;
        lost.then(|| format!("only {sent:.1}/s of {wanted:.1}/s could be sent, all {} connections were in use", self.concurrency))
    }

    /// Whether the service failed more than it may by answers and connections, which no busy generator makes.
    fn failed_by_itself(&self, limits: &Limits) -> bool {
        let ours = [Failure::TimeOut, Failure::NotSent, Failure::Generator].map(Failure::name);
        let theirs: u64 = self.errors.iter().filter(|error| !ours.contains(&error.kind.as_str())).map(|error| error.count).sum();
        theirs > limits.max_failed.unwrap_or(u64::MAX) || (self.ok == 0 && theirs > 0)
    }

    fn times_broken(&self, limits: &Limits) -> Vec<Excess> {
        let (times, late) = (*self.times(), self.lateness.unwrap_or_default());
        let mut all = Vec::new();
        let of_times = [
            ("half", limits.p50, times.p50_us, late.p50_us),
            ("95 %", limits.p95, times.p95_us, late.p95_us),
            ("99 %", limits.p99, times.p99_us, late.p99_us),
        ];
        for (part, limit, took, late) in of_times {
            let Some(limit) = limit else { continue };
            if self.ok == 0 {
                all.push(Excess::Theirs(format!("no request was answered well, so that {part} took no time at all")));
            } else if took > micros(limit) {
                let sentence = format!("{part} took up to {}, at most {} may be", show_micros(took), show_micros(micros(limit)));
                all.push(self.excess(sentence, took, micros(limit), late));
            }
        }
        if let (Some(part), Some(before)) = (limits.worse_than, &self.before)
            && self.ok > 0
            && times.p99_us > before.p99_us * (1.0 + part)
        {
            let limit = before.p99_us * (1.0 + part);
            let more = (times.p99_us / before.p99_us.max(1e-3) - 1.0) * 100.0;
            let sentence = format!(
                "99 % took up to {}, {more:.0} % longer than with release {} ({}), at most {:.0} % may be",
                show_micros(times.p99_us),
                before.release,
                show_micros(before.p99_us),
                part * 100.0
            );
            all.push(self.excess(sentence, times.p99_us, limit, late.p99_us));
        }
        all
    }

    /// Whose a time is that is longer than it may be: who sends late reads late too.
    fn excess(&self, sentence: String, took: f64, limit: f64, late: f64) -> Excess {
        let (used, wanted) = self.generator.busy(self.seconds);
        let queued = if self.seconds > SHORT_SECONDS { wanted - used } else { 0.0 };
        if took - 2.0 * late > limit && queued < QUEUED {
            return Excess::Theirs(sentence);
        }
        let late = show_micros(late);
        let queued = queued * 100.0;
        Excess::Ours(format!(
            "{sentence}, but the generator itself was up to {late} late and waited for a processor {queued:.0} % of the time: run it on a quieter machine"
        ))
    }

    /// A generator that never rests measures itself.
    fn saturation(&self) -> Option<Saturation> {
        if let Some(error) = self.errors.iter().find(|error| error.kind == Failure::Generator.name()) {
            let example = error.examples.first().map_or("", String::as_str);
            let reason =
                format!("this machine had no room for {} of the requests ({example}): fewer connections, or keep them", error.count);
            return Some(Saturation { reason });
        }
        let (used, wanted) = self.generator.busy(self.seconds);
        let (used_percent, queued_percent) = (used * 100.0, (wanted - used) * 100.0);
        let Some(lateness) = self.lateness else {
            // In a closed loop it is as fast as the service lets it; without rest it is as fast as it can.
            let reason = || {
                format!(
                    "the generator used {used_percent:.0} % of its processor time: {:.0} requests a second are what it can send, the service may be faster",
                    self.rate
                )
            };
            return (used > 0.95 && self.ok > self.failed && self.seconds > SHORT_SECONDS).then(|| Saturation { reason: reason() });
        };
        let rate = self.wanted_rate.unwrap_or_default();
        let way_out = "lower `--rate`, or run it elsewhere";
        if lateness.p50_us > LATE_US.max(self.service.p50_us) {
            let late = show_micros(lateness.p50_us);
            let reason = format!(
                "half of the requests were sent more than {late} late with a connection free: this machine is too busy for {rate:.0} requests a second; {way_out}"
            );
            return Some(Saturation { reason });
        }
        let behind = self.waited > self.requests / 100 || lateness.p95_us > LATE_US;
        (behind && wanted > BUSY && self.seconds > SHORT_SECONDS).then(|| Saturation {
            reason: format!("the generator had hardly a rest at {rate:.0} requests a second ({used_percent:.0} % of its time on a processor, {queued_percent:.0} % waiting for one), and was behind; {way_out}"),
        })
    }

    /// What a reader of the figures must know.
    fn remark(&mut self) {
        if let Some(lateness) = self.lateness.filter(|lateness| lateness.p99_us > LATE_US) {
            self.notes.push(format!(
                "1 % of the requests were sent more than {} late by the generator itself; their latency includes that",
                show_micros(lateness.p99_us)
            ));
        }
        if self.waited > self.requests / 100 {
            self.notes.push(format!(
                "{} of {} requests were due while all connections were in use, and waited: a higher `-c` shows whether the service or the connections are the limit",
                self.waited, self.requests
            ));
        }
        if self.surplus > 0 {
            self.notes.push(format!("{} connections were given up because more came on them than was asked for", self.surplus));
        }
        let (used, wanted) = self.generator.busy(self.seconds);
        if self.saturated.is_none() && wanted - used > QUEUED && self.seconds > SHORT_SECONDS {
            let percent = (wanted - used) * 100.0;
            self.notes.push(format!("the generator waited for a processor {percent:.0} % of the time; latency includes that"));
        }
    }
}

/// A time that is longer than it may be.
enum Excess {
    /// Without the generator's own lateness it may not be.
    Ours(String),
    Theirs(String),
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A time in microseconds as reports show it: `0.31 ms`, `12.4 ms`, `1.24 s`.
pub fn show_micros(micros: f64) -> String {
    match micros / 1000.0 {
        short @ ..10.0 => format!("{short:.2} ms"),
        middle @ ..1000.0 => format!("{middle:.1} ms"),
        long => format!("{:.2} s", long / 1000.0),
    }
}

#[cfg(test)]
mod tests;
