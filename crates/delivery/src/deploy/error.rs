//! Why a deploy did not end well.

use crate::rollout::Cause;
use base::{Problem, ProblemKind};

/// Why a deploy did not end well.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeployError {
    /// It could not be carried out.
    #[error("{0}")]
    Problem(Problem),
    /// The release was applied and does not serve.
    #[error("{}", .0.cause)]
    Rollout(Box<Failed>),
}

/// A release that was applied and does not serve.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Its id.
    pub release: String,
    /// Why.
    pub cause: Cause,
    /// The release that serves again.
    pub rolled_back: Option<String>,
    /// Why it does not, where going back failed too.
    pub rollback_problem: Option<Problem>,
}

impl From<Problem> for DeployError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Problem(problem) => problem,
            DeployError::Rollout(failed) => failed.problem(),
        }
    }
}

impl Failed {
    fn problem(&self) -> Problem {
        let problem = Problem::new(ProblemKind::Target, self.cause.to_string());
        match (&self.rolled_back, &self.rollback_problem) {
            (Some(release), _) => problem.hint(format!("release {release} serves again")),
            (None, Some(why)) => problem.hint(format!("the release before could not be put back: {why}")),
            (None, None) => problem.hint("nothing was put back; see `wharf status`"),
        }
    }
}
