//! Why a build ends without an image.

use crate::outside::Unavailable;
use base::files::FileError;
use base::{Finding, Problem, ProblemKind};
use blobs::BlobError;
use std::fmt;

/// Why a build ends without an image.
#[derive(Debug)]
pub enum BuildError {
    /// The Dockerfile or `.dockerignore` cannot be built as it is: all that is wrong, before anything was done.
    Refused(Vec<Finding>),
    /// A step failed.
    Step(Box<StepError>),
    /// The store failed.
    Store(BlobError),
    /// A file could not be read or written.
    File(FileError),
}

/// A step that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepError {
    /// The Dockerfile, as the caller named it.
    pub file: String,
    /// Line of the instruction, from 1.
    pub line: u32,
    /// The stage's name, or its number.
    pub stage: String,
    /// The instruction as one line.
    pub instruction: String,
    /// What went wrong.
    pub message: String,
    /// What to do; empty where the message says it.
    pub hint: String,
    /// The last lines that the command wrote.
    pub output: Vec<String>,
    /// The command's exit code.
    pub exit: Option<i32>,
    /// Whether the step itself is not to blame, but the machine: no room, or nothing can be written.
    pub is_of_host: bool,
    /// Whether something outside did not answer.
    pub is_unreachable: bool,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}`: {}", self.file, self.line, shorten(&self.instruction), self.message)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(findings) => {
                for (at, finding) in findings.iter().enumerate() {
                    write!(f, "{}{}: {}", if at > 0 { "\n" } else { "" }, finding.place, finding.message)?;
                }
                Ok(())
            }
            Self::Step(step) => step.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<BlobError> for BuildError {
    fn from(error: BlobError) -> Self {
        Self::Store(error)
    }
}

impl From<FileError> for BuildError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl BuildError {
    /// As a command reports it.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(findings) => {
                let count = findings.len();
                let message = format!("the Dockerfile cannot be built: {count} error{}", if count == 1 { "" } else { "s" });
                Problem::new(ProblemKind::Work, message).with_findings(findings.clone())
            }
            Self::Step(step) => {
                let kind = match (step.is_of_host, step.is_unreachable) {
                    (true, _) => ProblemKind::Host,
                    (false, true) => ProblemKind::Unreachable,
                    (false, false) => ProblemKind::Work,
                };
                let problem = Problem::new(kind, step.to_string());
                if step.hint.is_empty() { problem } else { problem.hint(step.hint.clone()) }
            }
            Self::Store(_) | Self::File(_) => Problem::new(ProblemKind::Host, self.to_string()).hint(MAKE_ROOM),
        }
    }
}

/// What went wrong in a step, before it is known where.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    pub message: String,
    pub hint: String,
    pub output: Vec<String>,
    pub exit: Option<i32>,
    /// Another stage failed; this one only stopped.
    pub stopped: bool,
    pub is_of_host: bool,
    pub is_unreachable: bool,
}

const MAKE_ROOM: &str = "make room or rights there, or pass another home with `--home DIR`";

impl Trouble {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl From<BlobError> for Trouble {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::File(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<Unavailable> for Trouble {
    fn from(error: Unavailable) -> Self {
        Self { is_unreachable: error.is_unreachable, ..Self::new(error.message).hint(error.hint) }
    }
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let trouble = Self::new(error.to_string());
        if matches!(error.source.kind(), StorageFull | ReadOnlyFilesystem | QuotaExceeded) {
            return Self { is_of_host: true, ..trouble.hint(MAKE_ROOM) };
        }
        trouble
    }
}

/// An instruction as it fits a line of a message.
pub(crate) fn shorten(instruction: &str) -> String {
    let line = instruction.lines().next().unwrap_or_default();
    let short: String = line.chars().take(120).collect();
    if short.len() < instruction.len() { format!("{short}...") } else { short }
}
