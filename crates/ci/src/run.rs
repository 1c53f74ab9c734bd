//! A run and its stages, as they are kept, sent and shown.

use crate::folder::ProjectFolder;
use base::{Finding, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A run's number on its server, from 1; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The commit that a run is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its full id, in hex.
    pub id: String,
    /// Its author's name.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

/// What began a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Trigger {
    /// A push to the server's own remote.
    Push {
        /// Who pushed, as they logged in.
        by: String,
    },
    /// A web hook.
    Hook {
        /// Whose: `github`, `gitlab` or `plain`.
        provider: String,
        /// The hook's own name for it; one delivery begins no run twice.
        delivery: String,
    },
    /// A person asked for it again.
    Retry {
        /// The run before.
        of: RunId,
        /// The stage that it began at; from the first where it is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Who asked.
        by: String,
    },
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It waits: for a runner, or for the run before it of the same branch and environment.
    Queued,
    /// A runner does it.
    Running,
    /// Every stage went well.
    Passed,
    /// A stage said no, or it could not be done.
    Failed,
    /// A person ended it.
    Cancelled,
    /// Its runners died, the second one too.
    Lost,
}

impl RunState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// Whether nothing more will come.
    pub const fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Where a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageState {
    /// It has not begun.
    Waiting,
    /// It runs.
    Running,
    /// It did its work.
    Done,
    /// It had nothing to do.
    Unchanged,
    /// It found something that does not stop the run.
    Warned,
    /// It said no.
    Failed,
    /// The run ended before it, or it was left out.
    Skipped,
}

impl StageState {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// The state of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Running, Self::Done, Self::Unchanged, Self::Warned, Self::Failed, Self::Skipped];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRun {
    /// Its name, such as `lint`.
    pub name: String,
    /// Where it is.
    pub state: StageState,
    /// When it began, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// How long it took, by the runner's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Its own few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// What it found; the first 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What else it tells, in the stage's own shape: a plan's objects, pods of a rollout, a load's figures.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
    /// How many lines its log has.
    #[serde(default)]
    pub lines: u64,
    /// Whether the program told of it before it began, so that a run can be begun from it; what it does besides, such as a rollback, comes of itself.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_planned: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_yes(value: &bool) -> bool {
    *value
}

impl StageRun {
    /// One that has not begun.
    pub fn waiting(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: StageState::Waiting,
            began: None,
            milliseconds: None,
            summary: String::new(),
            findings: Vec::new(),
            detail: Value::Null,
            lines: 0,
            is_planned: true,
        }
    }
}

impl Run {
    /// The stages that a run can be done again from, in their order. All of them come after the checkout, which is done always.
    pub fn beginnings(&self) -> impl Iterator<Item = &str> {
        let planned = self.stages.iter().filter(|stage| stage.is_planned && stage.name != crate::runs::CHECKOUT);
        planned.map(|stage| stage.name.as_str())
    }
}

/// Why a run did not go well: what `wharf` said in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind, as `wharf --json` names it: `work`, `usage`, `target`, `unreachable`, `host`, `defect`, `interrupted`.
    pub kind: String,
    /// One sentence.
    pub message: String,
    /// Next steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The command's exit code.
    pub exit_code: u8,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its name, such as `findings.sarif`.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A run: one commit, for one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The repository on the server, such as `request-info`.
    pub repository: String,
    /// Where in it the project lies.
    #[serde(default, skip_serializing_if = "ProjectFolder::is_root")]
    pub project: ProjectFolder,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The environment of `wharf.yaml`.
    pub environment: String,
    /// The commit.
    pub commit: Commit,
    /// What began it.
    pub trigger: Trigger,
    /// Where it is.
    pub state: RunState,
    /// How often it was given to a runner; 2 at most.
    pub attempt: u32,
    /// Who does it or did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When a runner took it, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Its stages in their order; `checkout` is the first.
    pub stages: Vec<StageRun>,
    /// Why it did not go well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Services and where they answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<(String, String)>,
    /// The release that it deployed, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What it left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artefacts: Vec<Artefact>,
}
