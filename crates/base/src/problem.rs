//! Why a command ends without having done what was asked, and with which exit code.

use crate::finding::Finding;
use std::fmt;

/// The kinds of failure; each is one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The work itself said no: a build step, a test, a gate, smoke or load. Exit code 1.
    Work,
    /// Wrong usage or settings. Exit code 2.
    Usage,
    /// The target refused, or the rollout failed. Exit code 3.
    Target,
    /// Something outside could not be reached in time. Exit code 4.
    Unreachable,
    /// The host lacks something. Exit code 5.
    Host,
    /// A defect of Wharf. Exit code 70.
    Defect,
    /// The user interrupted. Exit code 130.
    Interrupted,
}

impl ProblemKind {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Work => 1,
            Self::Usage => 2,
            Self::Target => 3,
            Self::Unreachable => 4,
            Self::Host => 5,
            Self::Defect => 70,
            Self::Interrupted => 130,
        }
    }

    /// The name used in `--json` output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Usage => "usage",
            Self::Target => "target",
            Self::Unreachable => "unreachable",
            Self::Host => "host",
            Self::Defect => "defect",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A failure as a person reads it: what happened, what to do next, and the findings behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Decides the exit code.
    pub kind: ProblemKind,
    /// One sentence: what, where, what was expected.
    pub message: String,
    /// Next steps, each a sentence or a command.
    pub hints: Vec<String>,
    /// All that was found, where the failure is made of several things.
    pub findings: Vec<Finding>,
}

impl Problem {
    /// A failure without hints.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), findings: Vec::new() }
    }

    /// The same with one more next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with the findings behind it.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
