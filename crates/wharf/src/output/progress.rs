//! Stages as they go by: one line each, with its time; the running one is written over where the terminal can.

use super::{LINE_BYTES, Output, Paint};
use crate::report::StageReport;
use base::Finding;
use base::units::show_duration;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

/// The stages of one command.
pub struct Stages {
    output: Output,
    began: Instant,
    width: usize,
    done: Vec<(String, &'static str, Duration)>,
}

/// One stage that runs.
pub struct Running<'a> {
    stages: &'a mut Stages,
    name: String,
    began: Instant,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Did its work.
    Done,
    /// Had nothing to do.
    Unchanged,
    /// Found something that does not stop the run.
    Warned,
    /// Said no.
    Failed,
}

impl Verdict {
    /// As it is shown and written down.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }

    const fn paint(self) -> Paint {
        match self {
            Self::Done => Paint::Green,
            Self::Unchanged => Paint::Dim,
            Self::Warned => Paint::Yellow,
            Self::Failed => Paint::Red,
        }
    }
}

impl Stages {
    /// A new row of stages; names are padded to `width` characters.
    pub fn new(output: Output, width: usize) -> Self {
        Self { output, began: Instant::now(), width, done: Vec::new() }
    }

    /// Begins a stage.
    pub fn begin(&mut self, name: &str) -> Running<'_> {
        if self.output.is_json() {
            self.output.json(&json!({"stage": name, "state": "running"}));
        } else if self.output.is_live() {
            let line = format!("{name:<width$}  running", width = self.width);
            let _ = write!(std::io::stderr(), "{}\r", self.output.paint(Paint::Dim, &line));
        }
        Running { name: name.to_owned(), began: Instant::now(), stages: self }
    }

    /// Time since the first stage.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Running<'_> {
    /// The stage's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A line about what happens in the stage; foreign text is made safe to show.
    pub fn note(&self, text: &str) {
        let output = &self.stages.output;
        if output.is_json() {
            output.json(&json!({"stage": self.name, "note": text}));
        } else {
            output.note(text);
        }
    }

    /// Something found that does not end the stage.
    pub fn finding(&self, finding: &Finding) {
        self.findings(std::slice::from_ref(finding), "");
    }

    /// Many of them: people are shown the first and told where the others are; programs and reports get all.
    pub fn findings(&self, findings: &[Finding], elsewhere: &str) {
        const SHOWN: usize = 10;
        let output = &self.stages.output;
        for (number, finding) in findings.iter().enumerate() {
            if output.is_json() {
                output.json(&json!({"stage": self.name, "finding": finding}));
            }
            if number < SHOWN {
                output.finding(finding);
            }
            output.keep(|recorded| recorded.findings.push(finding.clone()));
        }
        if findings.len() > SHOWN {
            output.note(&format!("and {} more; {elsewhere}", findings.len() - SHOWN));
        }
    }

    /// What programs that watch are told while it runs, in the stage's own shape; members replace those that were told before.
    pub fn detail(&self, detail: &Value) {
        if self.stages.output.is_json() {
            self.stages.output.json(&json!({"stage": self.name, "detail": detail}));
        }
    }

    /// Ends the stage with a verdict and a few words.
    pub fn end(self, verdict: Verdict, summary: &str) {
        self.end_with(verdict, summary, &Value::Null);
    }

    /// The same with all that it found; null where that is the summary.
    pub fn end_with(self, verdict: Verdict, summary: &str, detail: &Value) {
        let time = self.began.elapsed();
        let output = self.stages.output.clone();
        if output.is_json() {
            let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let mut line = json!({"stage": self.name, "state": verdict.name(), "summary": summary, "milliseconds": milliseconds});
            if detail.to_string().len() > LINE_BYTES {
                // Whoever reads lines of a bounded length still hears that the stage has ended.
                detail.as_object().into_iter().flatten().for_each(|(name, value)| self.detail(&json!({ name: value })));
            } else if !detail.is_null() {
                line["detail"] = detail.clone();
            }
            output.json(&line);
        } else {
            self.clear();
            let name = format!("{:<width$}", self.name, width = self.stages.width);
            let mark = output.paint(verdict.paint(), &format!("{:<9}", verdict.name()));
            let line = format!("{name}  {mark}  {:>9}  {}", show_duration(time), super::printable(summary));
            output.say(line.trim_end());
        }
        let (name, summary, detail) = (self.name.clone(), summary.to_owned(), detail.clone());
        output.keep(|recorded| recorded.stages.push(StageReport { name, verdict: verdict.name(), summary, detail, time }));
        self.stages.done.push((self.name, verdict.name(), time));
    }

    fn clear(&self) {
        if self.stages.output.is_live() && !self.stages.output.is_json() {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
