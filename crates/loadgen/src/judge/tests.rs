//! Verdicts over made-up runs.

use super::*;
use crate::report::{ErrorCount, Generator};

fn times(p99_us: f64) -> Percentiles {
    Percentiles { p50_us: 200.0, p95_us: 500.0, p99_us, ..Percentiles::default() }
}

fn report() -> Report {
    let generator = Generator { threads: 2, cpu_seconds: 0.2, queued_seconds: 0.1 };
    Report { requests: 100, ok: 98, failed: 2, seconds: 2.0, service: times(900.0), generator, ..Report::default() }
}

/// An open loop that was late by itself so much.
fn open(p50_us: f64, p95_us: f64, p99_us: f64) -> Report {
    let lateness = Percentiles { p50_us, p95_us, p99_us, ..Percentiles::default() };
    Report { lateness: Some(lateness), corrected: Some(times(20_000.0)), ..report() }
}

fn judged(mut report: Report, limits: Limits) -> Report {
    report.judge(&limits);
    report
}

fn p99(limit_us: u64) -> Limits {
    Limits { p99: Some(Duration::from_micros(limit_us)), ..Limits::default() }
}

#[test]
fn limits_are_judged_by_the_time_that_counts() {
    let limits = Limits { max_failed: Some(2), p50: Some(Duration::from_micros(200)), ..p99(1000) };
    let good = judged(report(), limits);
    assert!(good.is_good() && good.verdict == "good", "{good:?}");
    let mut bad = report();
    bad.corrected = Some(times(1_001.0));
    let bad = judged(bad, Limits { max_failed: Some(1), p95: Some(Duration::from_micros(499)), ..p99(1000) });
    assert_eq!((bad.broken.len(), bad.verdict.as_str()), (3, "limits not kept"), "{bad:?}");
    assert_eq!(judged(Report::default(), p99(1000)).broken.len(), 2);
}

#[test]
fn nothing_answered_is_never_good() {
    let none = Report { ok: 0, failed: 100, ..report() };
    assert_eq!(judged(none.clone(), Limits::default()).verdict, "limits not kept");
    // Who allows failures has said what is good.
    assert_eq!(judged(none, Limits { max_failed: Some(100), ..Limits::default() }).verdict, "good");
}

#[test]
fn worse_than_before_is_told_with_both_figures() {
    let worse = |part, before_us| {
        let before = Before { release: "abc".to_owned(), p99_us: before_us, ..Before::default() };
        judged(Report { before: Some(before), ..report() }, Limits { worse_than: part, ..Limits::default() }).broken
    };
    let told = ["99 % took up to 0.90 ms, 29 % longer than with release abc (0.70 ms), at most 20 % may be"];
    assert_eq!(worse(Some(0.2), 700.0), told);
    assert_eq!([worse(Some(0.3), 700.0).len(), worse(None, 700.0).len(), worse(Some(0.2), 900.0).len()], [0; 3]);
}

#[test]
fn own_lateness_is_told_and_undoes_what_was_measured() {
    let seen = |report: Report| {
        let report = judged(report, Limits::default());
        (report.verdict, report.notes.len())
    };
    assert_eq!(seen(open(6_000.0, 9_000.0, 9_000.0)), ("not measured".to_owned(), 1));
    assert_eq!(seen(open(4_000.0, 4_000.0, 6_000.0)), ("good".to_owned(), 1));
    assert_eq!(seen(open(10.0, 50.0, 100.0)), ("good".to_owned(), 0));
}

#[test]
fn a_limit_is_not_broken_by_what_the_generator_did() {
    // The p99 is 20 ms.
    assert_eq!(judged(open(10.0, 50.0, 12_000.0), p99(10_000)).verdict, "not measured");
    assert_eq!(judged(open(10.0, 50.0, 2_000.0), p99(10_000)).verdict, "limits not kept");
    assert_eq!(judged(open(10.0, 50.0, 12_000.0), p99(30_000)).verdict, "good");
    let generator = Generator { threads: 1, cpu_seconds: 0.2, queued_seconds: 0.6 };
    assert_eq!(judged(Report { generator, ..report() }, p99(800)).verdict, "not measured", "a machine that is full slows both");
}

#[test]
fn a_generator_that_never_rests_measures_nothing() {
    let busy = |cpu_seconds, queued_seconds, waited, report: Report| {
        let generator = Generator { threads: 1, cpu_seconds, queued_seconds };
        judged(Report { generator, waited, ..report }, Limits::default()).verdict
    };
    let (late, closed) = (|| open(10.0, 50.0, 100.0), report);
    assert_eq!(busy(1.2, 0.45, 50, late()), "not measured", "behind, and without rest");
    assert_eq!(busy(1.4, 0.0, 50, late()), "good", "all connections were in use, and it rested: the service is slow");
    assert_eq!(busy(1.99, 0.0, 0, late()), "good", "without rest, and never behind");
    assert_eq!(busy(1.98, 0.0, 0, closed()), "not measured");
    assert_eq!(busy(1.5, 0.4, 0, closed()), "good", "others on the machine slow both");
}

#[test]
fn what_the_service_answered_stands() {
    let errors = |kind: &str| vec![ErrorCount { kind: kind.to_owned(), count: 2, examples: vec!["x".to_owned()] }];
    let none_may = Limits { max_failed: Some(0), ..Limits::default() };
    let saturated = |kind| Report { errors: errors(kind), ..open(6_000.0, 9_000.0, 9_000.0) };
    assert_eq!(judged(saturated("status"), none_may).verdict, "limits not kept");
    assert_eq!(judged(saturated("time-out"), none_may).verdict, "not measured");
    let full = judged(Report { errors: errors("generator"), ..report() }, none_may);
    assert!(full.verdict == "not measured" && full.saturated.is_some_and(|told| told.reason.contains("no room")));
}

#[test]
fn a_rate_that_could_not_be_sent_is_not_good() {
    let sent = |rate| judged(Report { wanted_rate: Some(100.0), sent_rate: Some(rate), ..open(10.0, 50.0, 100.0) }, Limits::default());
    assert_eq!([sent(99.9).verdict, sent(91.0).verdict, sent(89.0).verdict], ["good", "good", "limits not kept"]);
    assert!(sent(50.0).broken[0].starts_with("only 50.0/s of 100.0/s"));
}
