//! What somebody is told.

use base::{Finding, Timestamp};
use serde::{Deserialize, Serialize};

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A run failed.
    RunFailed,
    /// A new advisory hits what runs.
    NewAdvisory,
    /// Something is down. No check tells it yet.
    Down,
    /// It is up again.
    Up,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What makes it this one: the same key is told once.
    pub key: String,
    /// Why.
    pub kind: NoticeKind,
    /// The project.
    pub project: String,
    /// One line.
    pub subject: String,
    /// The text, lines of it.
    pub text: String,
    /// What was found, where it is about findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// A page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}
