//! `wharf alerts`: what people were told, and what still waits to be told.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint, printable};
use base::{Clock, Problem, SystemClock, Timestamp};
use clap::Args;
use monitor::outbox::{Entry, Fate, Listing, Telling};
use serde_json::json;
use std::cmp::Reverse;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "alerts", about: "Lists what people were told, and what waits to be told", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// Only what waits
    #[arg(long)]
    waiting: bool,
    /// At most so many of those that were told
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    last: usize,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let listed = crate::notify::list(&context.home)?;
    let output = &context.output;
    let now = SystemClock.now();
    let all = |of: fn(&Listing) -> &Vec<Entry>| {
        listed.iter().flat_map(move |(source, listing)| of(listing).iter().map(move |entry| (source, entry)))
    };
    let mut waiting: Vec<(&String, &Entry)> = all(|listing| &listing.waiting).collect();
    waiting.sort_by_key(|(_, entry)| entry.since);
    let mut told: Vec<(&String, &Entry)> = all(|listing| &listing.told).collect();
    told.sort_by_key(|(_, entry)| Reverse(entry.ended()));
    let shown = told.iter().take(if asked.waiting { 0 } else { asked.last });
    for ((source, entry), waits) in waiting.iter().map(|one| (one, true)).chain(shown.map(|one| (one, false))) {
        if output.is_json() {
            let (since, notice, tellings) = (entry.since.rfc3339(), &entry.notice, &entry.tellings);
            output.json(&json!({"waits": waits, "source": source, "since": since, "notice": notice, "tellings": tellings}));
        } else {
            show(output, entry, now);
        }
    }
    for broken in listed.iter().flat_map(|(_, listing)| &listing.broken) {
        output.warning(broken);
    }
    if !output.is_json() {
        output.say(&summary(waiting.len(), told.len()));
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(waiting: usize, told: usize) -> String {
    match (waiting, told) {
        (0, 0) => "nobody was told anything".to_owned(),
        (0, told) => format!("{told} told, nothing waits"),
        (waiting, told) => format!("{told} told, {waiting} waiting; `wharf monitor` and `wharf ci serve` send them"),
    }
}

fn show(output: &Output, entry: &Entry, now: Timestamp) {
    output.data(&format!("{}  {}", entry.notice.at, output.paint(Paint::Bold, &printable(&entry.notice.line()))));
    for telling in &entry.tellings {
        let who = if telling.address.is_empty() { telling.receiver.clone() } else { format!("{} {}", telling.receiver, telling.address) };
        let (word, paint) = match telling.fate {
            Fate::Taken => ("told", Paint::Green),
            Fate::Waiting => ("waits", Paint::Yellow),
            Fate::GivenUp => ("given up", Paint::Red),
        };
        let line = format!("  {} {}{}", output.paint(paint, &format!("{word:<8}")), printable(&who), printable(&detail(telling, now)));
        output.data(line.trim_end());
    }
}

fn detail(telling: &Telling, now: Timestamp) -> String {
    let why = telling.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    match (telling.fate, telling.failures) {
        (Fate::Taken, _) => format!("  {}", telling.at),
        (_, 0) => String::new(),
        (Fate::Waiting, failures) if telling.at > now => {
            format!("  tried {failures} times, again in {}{why}", base::units::show_duration(telling.at.since(now)))
        }
        (_, failures) => format!("  tried {failures} times{why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_says_who_waits_and_why() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut telling = Telling::new("ops", "ops@example.com", now);
        assert_eq!(detail(&telling, now), "");
        (telling.failures, telling.why) = (3, Some("`mail:587`: Connection refused".to_owned()));
        assert_eq!(detail(&telling, now), "  tried 3 times: `mail:587`: Connection refused");
        telling.at = now.plus(Duration::from_secs(125));
        assert_eq!(detail(&telling, now), "  tried 3 times, again in 2 min 05 s: `mail:587`: Connection refused");
        telling.fate = Fate::Taken;
        assert_eq!(detail(&telling, now), "  2023-11-14T22:15:25Z");
        assert_eq!((summary(0, 0), summary(0, 2)), ("nobody was told anything".to_owned(), "2 told, nothing waits".to_owned()));
    }
}
