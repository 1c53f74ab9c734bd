//! What CloudFormation tells of stacks and change sets.

use super::status::StackStatus;
use crate::aws::Node;
use crate::plan::Change;
use std::collections::BTreeMap;

/// A stack as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSeen {
    /// Its ARN: of this very stack, not of one of the same name before it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: StackStatus,
    /// The status as the service writes it.
    pub status_text: String,
    /// Why it is in it; may be empty.
    pub reason: String,
    /// When it was made, as written.
    pub created: String,
    /// When it was last changed, as written; empty where never.
    pub updated: String,
    /// When it was last removed, as written; empty where never.
    pub deleted: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it refuses to be removed.
    pub protected: bool,
}

/// The status of a change set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSetStatus {
    /// Is worked out.
    Pending,
    /// Was worked out.
    Complete,
    /// Could not be, or holds no change.
    Failed,
    /// Is removed, or was.
    Deleted,
}

/// Whether a change set can be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Not yet, or never.
    Unavailable,
    /// Yes.
    Available,
    /// It is.
    InProgress,
    /// It was.
    Complete,
    /// It was, and failed.
    Failed,
    /// No more: the stack has moved.
    Obsolete,
}

/// A change set as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSetSeen {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The stack's ARN.
    pub stack: String,
    /// Its status.
    pub status: ChangeSetStatus,
    /// Whether it can be carried out.
    pub execution: Execution,
    /// Why it is in this status; may be empty.
    pub reason: String,
    /// What it would change.
    pub changes: Vec<Change>,
}

/// Whether these words say that there is nothing to change; the service has no code for it.
pub(crate) fn says_empty(reason: &str) -> bool {
    const WORDS: [&str; 3] = ["didn't contain changes", "No updates are to be performed", "no changes"];
    WORDS.iter().any(|words| reason.contains(words))
}

impl ChangeSetSeen {
    /// Whether it failed because there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.status == ChangeSetStatus::Failed && says_empty(&self.reason)
            || self.status == ChangeSetStatus::Complete && self.changes.is_empty() && self.execution != Execution::Available
    }
}

impl StackSeen {
    /// Reads an element of `DescribeStacks`.
    pub(crate) fn read(node: &Node) -> Self {
        let pairs = |list: &str, key: &str, value: &str| {
            node.members(list).map(|member| (member.text_of(key).to_owned(), member.text_of(value).to_owned())).collect()
        };
        let text = |name: &str| node.text_of(name).to_owned();
        Self {
            id: text("StackId"),
            name: text("StackName"),
            status: StackStatus::parse(node.text_of("StackStatus")),
            status_text: text("StackStatus"),
            reason: text("StackStatusReason"),
            created: text("CreationTime"),
            updated: text("LastUpdatedTime"),
            deleted: text("DeletionTime"),
            outputs: pairs("Outputs", "OutputKey", "OutputValue"),
            tags: pairs("Tags", "Key", "Value"),
            protected: node.text_of("EnableTerminationProtection") == "true",
        }
    }
}

impl ChangeSetSeen {
    /// Reads an answer of `DescribeChangeSet`, without its changes.
    pub(crate) fn read(node: &Node) -> Self {
        let text = |name: &str| node.text_of(name).to_owned();
        let status = match node.text_of("Status") {
            "CREATE_COMPLETE" => ChangeSetStatus::Complete,
            "FAILED" => ChangeSetStatus::Failed,
            status if status.starts_with("DELETE") => ChangeSetStatus::Deleted,
            _ => ChangeSetStatus::Pending,
        };
        let execution = match node.text_of("ExecutionStatus") {
            "AVAILABLE" => Execution::Available,
            "EXECUTE_IN_PROGRESS" => Execution::InProgress,
            "EXECUTE_COMPLETE" => Execution::Complete,
            "EXECUTE_FAILED" => Execution::Failed,
            "OBSOLETE" => Execution::Obsolete,
            _ => Execution::Unavailable,
        };
        Self {
            id: text("ChangeSetId"),
            name: text("ChangeSetName"),
            stack: text("StackId"),
            status,
            execution,
            reason: text("StatusReason"),
            changes: Vec::new(),
        }
    }
}
