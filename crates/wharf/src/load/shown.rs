//! A report for people: at most 80 columns, and no colour that says something alone.

use crate::output::{Output, Paint};
use loadgen::{Percentiles, Report, show_micros};
use serde_json::json;

/// Where values begin.
const INDENT: usize = 13;
/// Where lines end.
const WIDTH: usize = 80;

/// Shows a report as data.
pub fn show(output: &Output, report: &Report) {
    if output.is_json() {
        output.json(&json!(report));
        return;
    }
    output.data(&format!("{} {}", report.method, report.url));
    for (name, text) in told(report) {
        for line in wrapped(&name, &text) {
            output.data(&line);
        }
    }
    let verdict = output.paint(if report.is_good() { Paint::Green } else { Paint::Red }, &report.verdict);
    output.data(&format!("  {:<11}{verdict}", "verdict"));
}

/// The figure that is looked at first: `p99 4.10 ms (before 3.90 ms)`.
pub fn outcome(report: &Report) -> String {
    let now = show_micros(report.times().p99_us);
    match &report.before {
        Some(before) => format!("p99 {now} (before {})", show_micros(before.p99_us)),
        None => format!("p99 {now}"),
    }
}

fn told(report: &Report) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut line = |name: &str, text: String| lines.push((name.to_owned(), text));
    let connections = format!("{} connections at a time, {} opened", report.concurrency, report.connections);
    line("requests", format!("{} in {:.2} s, {}, {connections}", report.requests, report.seconds, report.protocol));
    let of_rate = |rate: &f64| format!("; sent {rate:.1}/s of {:.1}/s wanted", report.wanted_rate.unwrap_or_default());
    line("rate", format!("{:.1}/s answered{}", report.rate, report.sent_rate.as_ref().map(of_rate).unwrap_or_default()));
    line("answers", format!("{} ok, {} failed, {} sent again", report.ok, report.failed, report.retried));
    if !report.statuses.is_empty() {
        let statuses: Vec<String> = report.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        line("statuses", statuses.join(", "));
    }
    for error in &report.errors {
        line(&error.kind, format!("{}: {}", error.count, error.examples.join("; ")));
    }
    if report.ok > 0 {
        line("", ["p50", "p90", "p95", "p99", "p99.9", "most"].map(|name| format!("{name:>10}")).join(" "));
        if let Some(corrected) = &report.corrected {
            line("since due", row(corrected));
        }
        line("service", row(&report.service));
        line("latency", latency(report));
    }
    line("generator", generator(report));
    if report.ended_early {
        line("note", "it was interrupted before its end".to_owned());
    }
    for note in &report.notes {
        line("note", note.clone());
    }
    for broken in &report.broken {
        line("limit", broken.clone());
    }
    if let Some(saturated) = &report.saturated {
        line("saturated", saturated.reason.clone());
    }
    lines
}

fn latency(report: &Report) -> String {
    let from = if report.corrected.is_some() { "from when each was due" } else { "from when each was sent" };
    let before = report.before.as_ref().map(|before| format!("; before is release {}", before.release));
    format!("{}, {from}{}", outcome(report), before.unwrap_or_default())
}

fn generator(report: &Report) -> String {
    let generator = &report.generator;
    let percent = |seconds: f64| seconds / report.seconds.max(1e-9) * 100.0;
    let late = report.lateness.map(|late| format!(", 99 % sent within {} of their time", show_micros(late.p99_us)));
    let threads = if generator.threads == 1 { "1 thread" } else { &format!("{} threads", generator.threads) };
    format!("{threads}, {:.0} % of a processor{}", percent(generator.cpu_seconds), late.unwrap_or_default())
}

fn row(times: &Percentiles) -> String {
    let all = [times.p50_us, times.p90_us, times.p95_us, times.p99_us, times.p999_us, times.max_us];
    all.map(|time| format!("{:>10}", show_micros(time))).join(" ")
}

/// A name and a text, the text broken between words; what begins with spaces is a table and stays.
fn wrapped(name: &str, text: &str) -> Vec<String> {
    let head = format!("  {name:<width$}", width = INDENT - 2);
    if text.starts_with(' ') {
        return vec![format!("{head}{text}")];
    }
    let mut lines = vec![head];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        let begins = last <= INDENT;
        if !begins && last + 1 + word.chars().count() > WIDTH {
            lines.push(" ".repeat(INDENT));
        }
        if let Some(line) = lines.last_mut() {
            if line.chars().count() > INDENT {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen::{Before, ErrorCount};

    #[test]
    fn reports_fit_a_terminal() {
        let times = Percentiles { p50_us: 310.0, p90_us: 99_999.0, p99_us: 4_100.0, max_us: 20_004_000.0, ..Percentiles::default() };
        let examples = vec!["no answer within 20s and then some more words that make a line too long".to_owned(); 2];
        let report = Report {
            ok: 1,
            service: times,
            corrected: Some(times),
            lateness: Some(times),
            before: Some(Before { release: "abc".to_owned(), p99_us: 3_900.0, ..Before::default() }),
            errors: vec![ErrorCount { kind: "time-out".to_owned(), count: 3, examples }],
            notes: vec!["a note ".repeat(30)],
            wanted_rate: Some(300.0),
            sent_rate: Some(299.9),
            ..Report::default()
        };
        assert_eq!(outcome(&report), "p99 4.10 ms (before 3.90 ms)");
        let lines: Vec<String> = told(&report).iter().flat_map(|(name, text)| wrapped(name, text)).collect();
        for line in &lines {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(lines.iter().any(|line| line == "  rate       0.0/s answered; sent 299.9/s of 300.0/s wanted"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("  since due     0.31 ms   100.0 ms")), "{lines:#?}");
    }
}
