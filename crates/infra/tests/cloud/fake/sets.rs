//! Change sets in time.

use super::stacks::{SECOND, Stack};
use super::template::{Change, Template, changes};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct ChangeSet {
    pub id: String,
    pub name: String,
    pub stack: String,
    pub made: i64,
    pub template: Template,
    pub tags: BTreeMap<String, String>,
    pub import: Vec<String>,
    pub changes: Vec<Change>,
    pub status: String,
    pub execution: String,
    pub reason: String,
    pub(super) gone: Option<i64>,
}

impl ChangeSet {
    pub(super) fn work(&mut self, stack: Option<&Stack>, refusing: Option<&str>, now: i64) {
        let Some(stack) = stack else { return };
        if self.status == "CREATE_PENDING" && now >= self.made + 2 * SECOND {
            if let Some(reason) = refusing {
                (self.status, self.execution, self.reason) = ("FAILED".to_owned(), "UNAVAILABLE".to_owned(), reason.to_owned());
                return;
            }
            self.changes = changes(&stack.template, &self.template, &self.import);
            if self.changes.is_empty() && self.template.outputs == stack.template.outputs && self.tags == stack.tags {
                (self.status, self.execution) = ("FAILED".to_owned(), "UNAVAILABLE".to_owned());
                self.reason =
                    "The submitted information didn't contain changes. Submit different information to create a change set.".to_owned();
            } else {
                (self.status, self.execution) = ("CREATE_COMPLETE".to_owned(), "AVAILABLE".to_owned());
            }
        }
        if self.execution == "AVAILABLE" && stack.updated.is_some_and(|updated| updated > self.made) {
            self.execution = "OBSOLETE".to_owned();
        }
    }
}
