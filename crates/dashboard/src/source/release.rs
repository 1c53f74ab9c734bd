//! Releases and what allowed them, as pages show them.

use base::{Finding, Timestamp};
use ci::RunId;

/// Which release: its id is unique in its project and environment only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseKey {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The release's id.
    pub id: String,
}

/// How a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is being deployed, or a killed run left it so.
    Deploying,
    /// It serves now.
    Serves,
    /// It served, and another one does now.
    Deployed,
    /// It failed.
    Failed,
}

impl Fate {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Serves => "serves",
            Self::Deployed => "deployed",
            Self::Failed => "failed",
        }
    }
}

/// A release in the list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub key: ReleaseKey,
    /// When it was deployed first.
    pub created: Timestamp,
    /// How it stands.
    pub fate: Fate,
    /// Why it failed, in one sentence.
    pub cause: Option<String>,
    /// What it was made of: a commit and whether there were changes besides, as people read it.
    pub source: String,
    /// The run that deployed it, where a run did.
    pub run: Option<RunId>,
}

/// How one stage went for a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageResult {
    /// The stage.
    pub name: String,
    /// `done`, `unchanged`, `warned`, `skipped`.
    pub verdict: String,
    /// Its own few words.
    pub summary: String,
    /// What it found.
    pub findings: Vec<Finding>,
}

/// Who signed a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The plan's digest.
    pub plan: String,
    /// Who approved it; nobody where the environment asks for none.
    pub by: Option<String>,
    /// What checking the signature again gave, in words; nothing where nobody had to sign.
    pub signature: Option<String>,
    /// Whether the signature holds.
    pub holds: bool,
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What: `begun`, `deployed`, `failed`, `put-back`, `passed`, `rejected`.
    pub event: String,
    /// By what, with which result, in words.
    pub words: String,
    /// The entry's digest.
    pub digest: String,
}

/// Everything that allowed a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The release.
    pub release: Release,
    /// What comparing its record gave; an error where it is not as it was written, in one sentence.
    pub check: Result<delivery::Check, String>,
    /// The commit, in full.
    pub commit: Option<String>,
    /// The digest of all inputs.
    pub tree: Option<String>,
    /// Who deployed it.
    pub by: String,
    /// The release before it.
    pub previous: Option<String>,
    /// Images: name, reference, image id.
    pub images: Vec<(String, String, String)>,
    /// Stages and how they went.
    pub stages: Vec<StageResult>,
    /// The plan that was applied and who signed it; nothing where it was deployed without a plan of its own.
    pub approval: Option<Approval>,
    /// The ledger's entries about it, the oldest first.
    pub happened: Vec<Happened>,
}
