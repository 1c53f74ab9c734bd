//! What happens in the cloud as a person watches it: a line for each resource as it is done, and below it what is under way.
//!
//! All that is said of an entry is said by its listener: the cloud says secrets back in outputs, reasons, own names and values that were
//! changed beside the template, whether or not their parameters are `NoEcho`.

use crate::output::{Output, Paint, printable};
use ::infra::Failure;
use ::infra::aws::Heard;
use ::infra::provider::{Event, Progress, Watch};
use base::mask::Mask;
use base::units::show_duration;
use base::{Finding, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tells what happens.
pub(super) struct Listener<'a> {
    output: &'a Output,
    mask: Mask,
    /// What is under way, and since when.
    begun: Mutex<BTreeMap<String, String>>,
}

/// Tells what is tried again.
pub(super) struct Retries {
    output: Output,
    mask: Mask,
}

/// A shorter wait is told only to who wants to know more.
const TOLD: Duration = Duration::from_secs(4);

impl Heard for Retries {
    fn again(&self, failure: &Failure, after: Duration) {
        if after >= TOLD || self.output.is_verbose() {
            self.output.note(&self.mask.text(&format!("{failure}; again in {}", show_duration(after))));
        }
    }
}

impl<'a> Listener<'a> {
    pub(super) fn new(output: &'a Output, mask: Mask) -> Self {
        Self { output, mask, begun: Mutex::default() }
    }

    pub(super) fn heard(&self) -> Retries {
        Retries { output: self.output.clone(), mask: self.mask.clone() }
    }

    /// Whether data is wanted as JSON.
    pub(super) fn is_json(&self) -> bool {
        self.output.is_json()
    }

    /// Text in a colour.
    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        self.output.paint(paint, text)
    }

    /// Foreign text as it can be shown: without secrets, and on one line.
    pub(super) fn shown(&self, text: &str) -> String {
        printable(&self.mask.text(text))
    }

    /// A line of data.
    pub(super) fn data(&self, line: &str) {
        self.output.data(&self.mask.text(line));
    }

    /// A line of talk.
    pub(super) fn say(&self, line: &str) {
        self.output.say(&self.mask.text(line));
    }

    /// A line that the next one is written over.
    pub(super) fn passing(&self, line: &str) {
        self.output.passing(&self.mask.text(line));
    }

    /// What a person should know although the command goes on.
    pub(super) fn warning(&self, text: &str) {
        self.output.warning(&self.mask.text(text));
    }

    /// What was found.
    pub(super) fn finding(&self, finding: &Finding) {
        self.output.finding(&self.found(finding.clone()));
    }

    /// The same without secrets.
    pub(super) fn found(&self, mut finding: Finding) -> Finding {
        finding.message = self.mask.text(&finding.message);
        finding.help = self.mask.text(&finding.help);
        finding.evidence.iter_mut().for_each(|line| *line = self.mask.text(line));
        finding
    }

    /// A document.
    pub(super) fn json(&self, document: Value) {
        self.output.json(&self.masked(document));
    }

    /// A document without secrets.
    pub(super) fn masked(&self, document: Value) -> Value {
        match document {
            Value::String(text) => Value::String(self.mask.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.masked(item)).collect(),
            Value::Object(entries) => entries.into_iter().map(|(name, value)| (name, self.masked(value))).collect(),
            other => other,
        }
    }

    /// Keeps the lines of one command apart from those of the next.
    pub(super) fn done(&self) {
        self.output.passing("");
    }

    fn line(&self, event: &Event, began: Option<&str>) -> String {
        let (mark, paint) = match event.progress {
            Progress::Done => ("+", Paint::Green),
            Progress::Failed => ("!", Paint::Red),
            Progress::Begun => (".", Paint::Dim),
        };
        let took = began.and_then(Timestamp::parse_rfc3339).zip(Timestamp::parse_rfc3339(&event.at));
        let took = took.map(|(began, ended)| show_duration(ended.since(began))).unwrap_or_default();
        let head = self.shown(&format!("{:<24} {:<36} {:<28} {took:>12}", event.id, event.kind, event.status));
        let reason =
            if event.reason.is_empty() || event.progress == Progress::Done { String::new() } else { format!("  {}", event.reason) };
        format!("  {} {}{}", self.output.paint(paint, mark), head.trim_end(), self.shown(&reason))
    }

    fn under_way(&self) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<&str> = begun.keys().map(String::as_str).collect();
        let line = if names.is_empty() { String::new() } else { format!("  … {}", names.join(", ")) };
        let line: String = line.chars().take(100).collect();
        self.passing(&line);
    }
}

impl Watch for Listener<'_> {
    fn event(&self, event: &Event) {
        if self.output.is_json() {
            self.json(json!({"event": event}));
            return;
        }
        let stack = event.kind == "AWS::CloudFormation::Stack";
        let (first, began) = {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            match event.progress {
                Progress::Begun => {
                    let first = !begun.contains_key(&event.id);
                    begun.entry(event.id.clone()).or_insert_with(|| event.at.clone());
                    (first, None)
                }
                Progress::Done | Progress::Failed => (true, begun.remove(&event.id)),
            }
        };
        // Where lines cannot be written over, who waits is to see that something began.
        let shown = match event.progress {
            Progress::Begun => first && !stack && !self.output.is_live(),
            Progress::Done => !stack,
            Progress::Failed => true,
        };
        if shown {
            self.output.passing("");
            self.output.say(&self.line(event, began.as_deref()));
        }
        self.under_way();
    }

    fn note(&self, text: &str) {
        if !self.output.is_json() {
            self.output.note(&self.mask.text(text));
            self.under_way();
        }
    }
}
