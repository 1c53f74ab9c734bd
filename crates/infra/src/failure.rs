//! What goes wrong with a cloud: what kind it is decides whether it is tried again, and how the command ends.

use base::{Finding, Problem, ProblemKind, Timestamp};
use std::fmt;

/// What kind of failure a call had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Too many calls at once.
    Throttled,
    /// The service has trouble of its own (5xx).
    Server,
    /// No answer: not reached, broken off, or silent. The call may have been carried out.
    Lost,
    /// Our clock and theirs differ too much for the signature.
    Skewed,
    /// The credentials are no longer valid.
    Expired,
    /// The credentials are not known, or their signature is wrong.
    Unknown,
    /// The credentials may not do it.
    Denied,
    /// What the call names is not there.
    Missing,
    /// What the call would make is there already.
    Exists,
    /// What the call names is not in a state for it.
    State,
    /// The call itself is wrong.
    Invalid,
    /// The service does not know the call; emulators often lack some.
    Unsupported,
    /// The answer is none that can be read.
    Unreadable,
    /// No credentials are at hand.
    Credentials,
    /// What is declared cannot be: a region, an endpoint.
    Declared,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call, such as `DescribeStacks`.
    pub call: String,
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// The service's own code, such as `ThrottlingException`; empty where it gave none.
    pub code: String,
    /// The service's own words.
    pub message: String,
    /// By which the service's support finds the call; empty where it gave none.
    pub request_id: String,
    /// The time at the service when it answered.
    pub their_time: Option<Timestamp>,
}

impl Failure {
    /// A failure without more than a kind and words.
    pub fn new(call: impl Into<String>, kind: FailureKind, message: impl Into<String>) -> Self {
        let (code, request_id) = (String::new(), String::new());
        Self { call: call.into(), kind, code, message: message.into(), request_id, their_time: None }
    }

    /// The same failure as a command tells it.
    pub fn problem(&self) -> Problem {
        use FailureKind as Kind;
        let (kind, hint) = match self.kind {
            Kind::Throttled | Kind::Server | Kind::Lost => {
                (ProblemKind::Unreachable, Some("run the same command again: it goes on from what stands"))
            }
            Kind::Skewed => (ProblemKind::Host, Some("set this machine's clock; signatures hold for five minutes")),
            Kind::Expired => {
                (ProblemKind::Usage, Some("get new credentials, then run the same command again: it goes on from what stands"))
            }
            Kind::Unknown => (ProblemKind::Usage, Some("check the access key and its secret, and that they belong to this partition")),
            Kind::Credentials => {
                (ProblemKind::Usage, Some("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or `profile:` in wharf.yaml"))
            }
            Kind::Declared => (ProblemKind::Usage, None),
            Kind::Denied => (ProblemKind::Target, Some("the role or user needs the right to make this call")),
            Kind::Missing | Kind::Exists | Kind::State | Kind::Invalid | Kind::Unsupported | Kind::Unreadable => {
                (ProblemKind::Target, None)
            }
        };
        let problem = Problem::new(kind, self.to_string());
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        if !self.code.is_empty() {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(&self.message)?;
        if !self.request_id.is_empty() {
            write!(f, " (request {})", self.request_id)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Why a provider did not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InfraError {
    /// A call failed for good.
    #[error("{0}")]
    Call(Failure),
    /// What is declared has errors.
    #[error("{what} has {} error{}", findings.len(), if findings.len() == 1 { "" } else { "s" })]
    Invalid {
        /// What has them.
        what: String,
        /// All of them.
        findings: Vec<Finding>,
    },
    /// The cloud carried it out, and it failed.
    #[error("{message}")]
    Failed {
        /// What happened, and what stands now.
        message: String,
        /// Each resource that failed, with its reason, the first cause first.
        findings: Vec<Finding>,
        /// What to do next.
        hint: String,
        /// Whether what stood before stands again.
        rolled_back: bool,
    },
    /// What was planned is not what would be done now.
    #[error("{message}")]
    Stale {
        /// What moved.
        message: String,
    },
    /// What stands must be settled first: an update that stopped half-way, or a first creation that failed.
    #[error("{message}")]
    Unsettled {
        /// In which state it is.
        message: String,
    },
    /// What stands is another's.
    #[error("{message}")]
    Foreign {
        /// Whose it is.
        message: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// It is still under way after all the time that it may take.
    #[error("{message}")]
    Slow {
        /// What is.
        message: String,
    },
}

impl From<Failure> for InfraError {
    fn from(failure: Failure) -> Self {
        Self::Call(failure)
    }
}

impl From<InfraError> for Problem {
    fn from(error: InfraError) -> Self {
        let message = error.to_string();
        match error {
            InfraError::Call(failure) => failure.problem(),
            InfraError::Invalid { findings, .. } => Self::new(ProblemKind::Work, message).with_findings(findings),
            InfraError::Failed { findings, hint, .. } => Self::new(ProblemKind::Target, message).with_findings(findings).hint(hint),
            InfraError::Stale { .. } => Self::new(ProblemKind::Target, message).hint("make a new plan: `wharf infra plan`"),
            InfraError::Unsettled { .. } => {
                Self::new(ProblemKind::Target, message).hint("`wharf infra apply` settles it first, after asking")
            }
            InfraError::Foreign { hints, .. } => hints.into_iter().fold(Self::new(ProblemKind::Target, message), Self::hint),
            InfraError::Slow { .. } => {
                Self::new(ProblemKind::Unreachable, message).hint("run the same command again: it follows what is under way")
            }
        }
    }
}
