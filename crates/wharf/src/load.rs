//! Runs loads and shows what came of them.

use crate::output::{Output, Paint};
use base::{Problem, ProblemKind};
use loadgen::{Config, Percentiles, Report};
use serde_json::json;

/// Runs one load to its end.
///
/// # Errors
/// When a setting cannot be used, when the generator itself was too slow to measure, or when limits were not kept.
pub async fn run(output: &Output, config: Config) -> Result<Report, Problem> {
    let progress = |progress: loadgen::Progress| {
        if output.is_json() {
            let milliseconds = u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX);
            output.json(&json!({"load": {"milliseconds": milliseconds, "done": progress.done, "failed": progress.failed}}));
        }
    };
    loadgen::run(config, progress).await.map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))
}

/// Whether a load was good, in the words of a problem where it was not.
///
/// # Errors
/// When it was not.
pub fn judge(report: &Report) -> Result<(), Problem> {
    if let Some(saturated) = &report.saturated {
        return Err(Problem::new(ProblemKind::Host, format!("nothing was measured: {}", saturated.reason)));
    }
    if report.broken.is_empty() {
        return Ok(());
    }
    let mut problem = Problem::new(ProblemKind::Work, format!("{} {}: {}", report.method, report.url, report.broken.join("; ")));
    for error in &report.errors {
        problem = problem.hint(format!("{} x {}: {}", error.count, error.kind, error.examples.first().map_or("", String::as_str)));
    }
    Err(problem)
}

/// Shows a report as data.
pub fn show(output: &Output, report: &Report) {
    if output.is_json() {
        output.json(&json!(report));
        return;
    }
    output.data(&format!("{} {}", report.method, report.url));
    output.data(&format!(
        "  requests     {} in {:.2} s, {:.1}/s over {} connections at a time ({} opened)",
        report.requests, report.seconds, report.rate, report.concurrency, report.connections
    ));
    if let Some(wanted) = report.wanted_rate {
        output.data(&format!("  wanted       {wanted:.1}/s"));
    }
    let failed = format!("{} failed", report.failed);
    let paint = if report.failed == 0 { Paint::Green } else { Paint::Red };
    output.data(&format!("  answers      {} ok, {}, {} sent again", report.ok, output.paint(paint, &failed), report.retried));
    let statuses: Vec<String> = report.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
    output.data(&format!("  statuses     {}", statuses.join(", ")));
    for error in &report.errors {
        output.data(&format!("  {:<12} {} ({})", error.kind, error.count, error.examples.join("; ")));
    }
    output.data(&format!("  service time {}", percentiles(&report.service)));
    if let Some(corrected) = &report.corrected {
        output.data(&format!("  since due    {}", percentiles(corrected)));
    }
    report.notes.iter().for_each(|note| output.data(&format!("  note         {note}")));
}

fn percentiles(times: &Percentiles) -> String {
    let show = |micros: f64| format!("{:.2} ms", micros / 1_000.0);
    format!(
        "p50 {}, p90 {}, p99 {}, p99.9 {}, most {}",
        show(times.p50_us),
        show(times.p90_us),
        show(times.p99_us),
        show(times.p999_us),
        show(times.max_us)
    )
}
