//! How Wharf speaks: data on standard output, talk on standard error, colours that only repeat what the words say.

mod progress;

pub use progress::{Running, Stages, Verdict};

use crate::context::Globals;
use crate::report::Recorded;
use base::{Finding, Problem, Severity};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one line of JSON, roughly: who reads lines may have a bound.
const LINE_BYTES: usize = 256 << 10;

/// Where a command speaks. Clones speak to the same place.
#[derive(Clone)]
pub struct Output {
    inner: Arc<Inner>,
}

struct Inner {
    json: bool,
    quiet: bool,
    verbose: bool,
    color: bool,
    live: bool,
    lock: Mutex<()>,
    recorded: Mutex<Option<Recorded>>,
}

/// The few colours in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Went well.
    Green,
    /// Went wrong.
    Red,
    /// Needs a look.
    Yellow,
    /// Less important.
    Dim,
    /// More important.
    Bold,
}

impl Output {
    /// From the flags, the terminal and `NO_COLOR`.
    pub fn new(globals: &Globals) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let color = match globals.color.as_str() {
            "always" => true,
            "never" => false,
            _ => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let live = terminal && !globals.quiet && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let inner = Inner {
            json: globals.json,
            quiet: globals.quiet,
            verbose: globals.verbose,
            color,
            live,
            lock: Mutex::new(()),
            recorded: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether data is wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.inner.json
    }

    /// Whether colours are wanted.
    pub fn is_colored(&self) -> bool {
        self.inner.color
    }

    /// Whether more is wanted.
    pub fn is_verbose(&self) -> bool {
        self.inner.verbose
    }

    /// Whether every line of what runs is wanted: where more is, and by programs that watch.
    pub fn takes_lines(&self) -> bool {
        self.inner.verbose || self.inner.json
    }

    /// Whether lines can be written over.
    pub fn is_live(&self) -> bool {
        self.inner.live
    }

    /// From now on what stages find is kept for a report.
    pub fn record(&self) {
        *self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Recorded::default());
    }

    /// What was found since then.
    pub fn recorded(&self) -> Recorded {
        self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    fn keep(&self, keep: impl FnOnce(&mut Recorded)) {
        if let Some(recorded) = self.inner.recorded.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            keep(recorded);
        }
    }

    /// A line of data. A reader that has gone away is no error.
    pub fn data(&self, line: &str) {
        self.write(&mut std::io::stdout(), line);
    }

    /// Bytes of data, as they are.
    pub fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// A JSON value as a line of data.
    pub fn json(&self, value: &serde_json::Value) {
        self.data(&value.to_string());
    }

    /// A line of talk; not said with `--quiet`.
    pub fn say(&self, line: &str) {
        if !self.inner.quiet {
            self.write(&mut std::io::stderr(), line);
        }
    }

    /// A line about what happens within a stage; foreign text is made safe to show.
    pub fn note(&self, text: &str) {
        if self.inner.live && !self.inner.json {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
        self.say(&format!("  {}", self.paint(Paint::Dim, &printable(text))));
    }

    /// A line that the next one is written over, where the terminal can; an empty one takes it away.
    pub fn passing(&self, line: &str) {
        if self.inner.live && !self.inner.json {
            let _held = self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = write!(std::io::stderr(), "\r\x1b[2K{}", self.paint(Paint::Dim, &printable(line)));
        }
    }

    /// Something that does not stop the work.
    pub fn warning(&self, message: &str) {
        self.write(&mut std::io::stderr(), &format!("{} {}", self.paint(Paint::Yellow, "warning:"), printable(message)));
    }

    /// Why the command ends.
    pub fn problem(&self, problem: &Problem) {
        if self.inner.json {
            let (findings, left_out) = fitting(&problem.findings, LINE_BYTES);
            let mut error = json!({"kind": problem.kind.name(), "message": problem.message, "hints": problem.hints,
                "findings": findings, "exit_code": problem.kind.exit_code()});
            if left_out > 0 {
                error["left_out"] = json!(left_out);
            }
            self.json(&json!({ "error": error }));
        }
        for finding in &problem.findings {
            self.finding(finding);
        }
        self.write(&mut std::io::stderr(), &format!("{} {}", self.paint(Paint::Red, "error:"), printable_lines(&problem.message)));
        for hint in &problem.hints {
            self.write(&mut std::io::stderr(), &format!("{} {}", self.paint(Paint::Bold, "hint:"), printable_lines(hint)));
        }
    }

    /// One finding, with what was seen and what to do.
    pub fn finding(&self, finding: &Finding) {
        let paint = match finding.severity {
            Severity::Error => Paint::Red,
            Severity::Warning => Paint::Yellow,
            Severity::Info | Severity::Style => Paint::Dim,
        };
        let place = printable(&finding.place.to_string());
        let place = if place.is_empty() { place } else { format!("{place} ") };
        let head = format!("{place}{} {}: {}", finding.rule, self.paint(paint, finding.severity.name()), printable_lines(&finding.message));
        self.write(&mut std::io::stderr(), &head);
        for line in &finding.evidence {
            self.write(&mut std::io::stderr(), &format!("    {}", self.paint(Paint::Dim, &printable(line))));
        }
        if !finding.help.is_empty() {
            self.write(&mut std::io::stderr(), &format!("    {}", printable_lines(&finding.help)));
        }
    }

    /// Text in a colour, where colours are wanted.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Green => "32",
            Paint::Red => "31",
            Paint::Yellow => "33",
            Paint::Dim => "2",
            Paint::Bold => "1",
        };
        if self.inner.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn write(&self, to: &mut dyn Write, line: &str) {
        let _held = self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(to, "{line}").and_then(|()| to.flush());
    }
}

/// How many columns the reader of standard output has; of a file or a pipe a good many.
pub fn width() -> usize {
    const UNBOUND: usize = 160;
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(UNBOUND)
}

/// Foreign text as a terminal may show it: control characters become visible, so that no log line moves the cursor, and what turns
/// the direction of reading does too, so that no line reads as another.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if moves(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same for text that may have several lines.
pub fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if moves(c) && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The first findings that fit into so many bytes of JSON, and how many do not.
fn fitting(findings: &[Finding], bytes: usize) -> (&[Finding], usize) {
    let mut room = bytes;
    let fits = |finding: &&Finding| {
        let length = serde_json::to_string(finding).map_or(0, |text| text.len() + 1);
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let count = findings.iter().take_while(fits).count();
    (findings.get(..count).unwrap_or_default(), findings.len() - count)
}

fn moves(c: char) -> bool {
    c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_one_line_are_those_that_fit() {
        let one = Finding::new("X", Severity::Error, base::Place::default(), "x".repeat(100));
        let length = serde_json::to_string(&one).expect("JSON").len() + 1;
        let all = vec![one; 9];
        for (bytes, fit) in [(0, 0), (length - 1, 0), (length, 1), (length * 3 + 5, 3), (length * 9, 9)] {
            let (kept, left_out) = fitting(&all, bytes);
            assert_eq!((kept.len(), left_out), (fit, 9 - fit), "{bytes}");
        }
    }

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(printable("a\x1b[2Jb\r\tc"), "a\u{fffd}[2Jb\u{fffd}\tc");
        assert_eq!(printable("a\nb\u{202e}c\u{9b}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(printable_lines("a\nb\x1b\u{2066}"), "a\nb\u{fffd}\u{fffd}");
    }
}
