//! What happened to a stack's resources: only the operation that stands, each event once, in order; and which of them was the cause.

use super::seen::StackSeen;
use crate::aws::Node;
use crate::provider::{Event, Progress};
use base::{Finding, Place, Severity};
use std::collections::HashSet;

/// An event as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its own id.
    pub key: String,
    /// The idempotency token of its operation; may be empty.
    pub token: String,
    /// Whether it is of the stack itself.
    pub own: bool,
    /// What is told.
    pub event: Event,
}

impl Read {
    /// Reads an element of `DescribeStackEvents`.
    pub(crate) fn of(node: &Node) -> Self {
        let text = |name: &str| node.text_of(name).to_owned();
        let status = text("ResourceStatus");
        let progress = match status.as_str() {
            status if status.ends_with("_FAILED") || status.contains("ROLLBACK_IN_PROGRESS") => Progress::Failed,
            status if status.ends_with("_IN_PROGRESS") => Progress::Begun,
            status if status.contains("ROLLBACK_COMPLETE") => Progress::Failed,
            _ => Progress::Done,
        };
        let own = text("PhysicalResourceId") == text("StackId") && !text("StackId").is_empty();
        let event = Event {
            at: text("Timestamp"),
            id: text("LogicalResourceId"),
            kind: text("ResourceType"),
            physical: text("PhysicalResourceId"),
            status,
            progress,
            reason: text("ResourceStatusReason"),
        };
        Self { key: text("EventId"), token: text("ClientRequestToken"), own, event }
    }

    /// Whether an operation began with it.
    pub(crate) fn begins(&self) -> bool {
        const BEGINNINGS: [&str; 4] = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"];
        self.own && BEGINNINGS.contains(&self.event.status.as_str())
    }
}

/// What was told already.
#[derive(Debug, Default)]
pub(crate) struct Log {
    known: HashSet<String>,
    /// All events of the operation that were told, in order.
    pub told: Vec<Event>,
    marked: bool,
}

impl Log {
    /// What is there before an operation begins is not of it.
    pub(crate) fn mark(&mut self, newest: &[Read]) {
        self.known.extend(newest.iter().map(|read| read.key.clone()));
        self.marked = true;
    }

    /// Whether [`Log::mark`] was called.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }

    /// Whether a page (newest first) reaches what is known, or the beginning of the operation.
    pub(crate) fn reaches(&self, page: &[Read]) -> bool {
        page.iter().any(|read| self.known.contains(&read.key) || (self.known.is_empty() && read.begins()))
    }

    /// Takes pages (newest first) and gives what is new in order.
    pub(crate) fn take(&mut self, pages: Vec<Read>) -> Vec<Event> {
        let first = self.known.is_empty();
        let mut fresh: Vec<Read> = Vec::new();
        for read in pages {
            if self.known.contains(&read.key) {
                break;
            }
            let begins = read.begins();
            fresh.push(read);
            if first && begins {
                break;
            }
        }
        fresh.reverse();
        self.known.extend(fresh.iter().map(|read| read.key.clone()));
        let events: Vec<Event> = fresh.into_iter().map(|read| read.event).collect();
        self.told.extend(events.iter().cloned());
        events
    }
}

/// The resources that failed, those that caused it first; those that were only called off come last.
pub fn causes(events: &[Event], template: &str) -> Vec<Finding> {
    let failed = events.iter().filter(|event| event.status.ends_with("_FAILED") && event.kind != "AWS::CloudFormation::Stack");
    let (called_off, causes): (Vec<&Event>, Vec<&Event>) = failed.partition(|event| is_called_off(&event.reason));
    let mut findings: Vec<Finding> = Vec::new();
    for event in causes.into_iter().chain(called_off) {
        let place = Place { file: Some(template.to_owned()), object: Some(format!("{} {}", event.kind, event.id)), ..Place::default() };
        let reason = if event.reason.is_empty() { event.status.clone() } else { event.reason.clone() };
        let severity = if is_called_off(&event.reason) { Severity::Info } else { Severity::Error };
        if !findings.iter().any(|known| known.place == place && known.message == reason) {
            findings.push(Finding::new("infra-resource", severity, place, reason).with_evidence(format!("{} {}", event.at, event.status)));
        }
    }
    findings
}

/// The service gives these words to what it stops because something else failed.
fn is_called_off(reason: &str) -> bool {
    ["creation cancelled", "update cancelled", "deletion cancelled", "operation cancelled"]
        .iter()
        .any(|words| reason.to_lowercase().contains(words))
}

/// Why a stack failed where no event tells.
pub(crate) fn why(stack: &StackSeen, findings: &[Finding]) -> String {
    match findings.first() {
        Some(first) => {
            let resource = first.place.object.clone().unwrap_or_default();
            format!("`{}` is {}: {resource}: {}", stack.name, stack.status_text, first.message)
        }
        None if stack.reason.is_empty() => format!("`{}` is {}", stack.name, stack.status_text),
        None => format!("`{}` is {}: {}", stack.name, stack.status_text, stack.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, id: &str, status: &str, reason: &str) -> Read {
        let own = id == "stack";
        let kind = if own { "AWS::CloudFormation::Stack" } else { "T" };
        let text = str::to_owned;
        let progress = Progress::Begun;
        let event = Event {
            at: text("t"),
            id: text(id),
            kind: text(kind),
            physical: text(id),
            status: text(status),
            progress,
            reason: text(reason),
        };
        Read { key: text(key), token: String::new(), own, event }
    }

    #[test]
    fn tells_the_operation_that_stands_once_and_in_order() {
        let old = [read("1", "stack", "CREATE_IN_PROGRESS", ""), read("2", "A", "CREATE_COMPLETE", "")];
        let new =
            [read("3", "stack", "UPDATE_IN_PROGRESS", ""), read("4", "A", "UPDATE_IN_PROGRESS", ""), read("5", "A", "UPDATE_COMPLETE", "")];
        let newest_first =
            |count: usize| old.iter().chain(&new).take(count).cloned().collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
        let mut log = Log::default();
        assert!(log.reaches(&newest_first(4)));
        let told: Vec<_> = log.take(newest_first(4)).into_iter().map(|event| event.status).collect();
        assert_eq!(told, ["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"], "a run that takes up another's operation begins where that began");
        assert_eq!(log.take(newest_first(5)).len(), 1);
        assert!(log.take(newest_first(5)).is_empty());
        let mut log = Log::default();
        log.mark(&newest_first(2));
        assert_eq!(log.take(newest_first(5)).len(), 3);
    }

    #[test]
    fn the_cause_comes_before_what_was_called_off() {
        let events: Vec<Event> = [
            read("1", "B", "CREATE_FAILED", "Resource creation cancelled"),
            read("2", "A", "CREATE_FAILED", "no capacity"),
            read("3", "stack", "ROLLBACK_IN_PROGRESS", "failed: [A, B]"),
        ]
        .into_iter()
        .map(|read| read.event)
        .collect();
        let told: Vec<_> = causes(&events, "t.yaml").into_iter().map(|finding| (finding.message, finding.severity)).collect();
        assert_eq!(told, [("no capacity".to_owned(), Severity::Error), ("Resource creation cancelled".to_owned(), Severity::Info)]);
    }
}
