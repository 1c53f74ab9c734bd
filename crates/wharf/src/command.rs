//! Commands of the project's own, on the host.

use crate::interrupt;
use crate::output::printable;
use crate::settings::CommandLine;
use base::{Finding, Place, Problem, ProblemKind, Severity};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Lines of a failed command that its problem keeps.
const KEPT: usize = 20;

/// Runs a command in a folder to its end, handing its lines on.
///
/// # Errors
/// When it cannot be started, or ends with another code than 0; its last lines are told.
pub fn run(name: &str, command: &CommandLine, folder: &Path, line: &(dyn Fn(&str) + Sync)) -> Result<(), Problem> {
    let argv = command.argv();
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Problem::new(ProblemKind::Usage, format!("the command of `{name}` is empty")));
    };
    let mut command_line = Command::new(program);
    command_line.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = interrupt::spawn(&mut command_line, interrupt::Kind::Group);
    let mut ours = started.map_err(|error| Problem::new(ProblemKind::Work, format!("cannot start `{program}` for `{name}`: {error}")))?;
    let tail = Tail::default();
    let take = |text: &str| {
        tail.take(text);
        line(text);
    };
    let (out, err) = (ours.child.stdout.take(), ours.child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| read(out, &take));
        read(err, &take);
    });
    let status = ours.child.wait().map_err(|error| Problem::new(ProblemKind::Host, format!("`{name}` was lost: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(tail.failure(name, command, &status.to_string()))
}

/// The last lines that a command said.
#[derive(Debug, Default)]
pub struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    /// Takes a line.
    pub fn take(&self, line: &str) {
        if let Ok(mut last) = self.0.lock() {
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line.to_owned());
        }
    }

    /// They, safe to be shown.
    pub fn lines(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_default().iter().map(|line| printable(line)).collect()
    }

    /// The problem of a command that did not end well, with what it said last.
    pub fn failure(self, name: &str, command: &CommandLine, status: &str) -> Problem {
        let mut finding = Finding::new("command", Severity::Error, Place::default(), format!("`{command}` ended with {status}"));
        finding.evidence = self.lines();
        Problem::new(ProblemKind::Work, format!("`{name}` failed")).with_findings(vec![finding])
    }
}

/// Hands lines on; one that has no end is handed on in pieces.
fn read(stream: Option<impl Read>, take: &dyn Fn(&str)) {
    const LONGEST: u64 = 64 << 10;
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while (&mut reader).take(LONGEST).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        take(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}
