//! From what is wanted to a change set that waits to be carried out.

use super::{Action, BLIND, Ending, Goal, Observation, PATIENCE, Phase, SetKind, StackState, Then, token};
use crate::cloudformation::seen::{ChangeSetSeen, ChangeSetStatus, Execution, says_empty};
use crate::cloudformation::status::Settled;
use crate::failure::{Failure, FailureKind};
use base::Timestamp;

/// How often a change set is made anew because the one of its name cannot be used.
const MOST_MAKES: u32 = 4;

impl StackState {
    /// The same change to the same stack has the same name: what was made before is found again.
    fn name(&self) -> String {
        let digest = match &self.goal {
            Goal::Prepare { digest, .. } => digest.as_str(),
            _ => "",
        };
        // A stack that waits for its first change set has an id already; the name must not change with it.
        let before = self.before.as_ref().filter(|stack| stack.status.settled() != Settled::Empty);
        let (id, updated) = before.map_or(("", ""), |stack| (stack.id.as_str(), stack.updated.as_str()));
        token(&["change", digest, id, updated])
    }

    pub(super) fn make(&mut self, kind: SetKind) -> Vec<Action> {
        self.makes += 1;
        if self.makes > MOST_MAKES {
            return Self::finish(Ending::Refused(
                "change sets are removed or outdated by somebody else as soon as they are made".to_owned(),
            ));
        }
        self.enter(Phase::Making(kind));
        vec![Action::Create { name: self.name(), kind }]
    }

    pub(super) fn made(&mut self, kind: SetKind, seen: Observation) -> Vec<Action> {
        match seen {
            Observation::Accepted => self.existed = false,
            // Emulators find that out at once.
            Observation::Refused(failure) if says_empty(&failure.message) => {
                let ending = self.before.clone().map_or(Ending::Call(failure), Ending::Unchanged);
                return Self::finish(ending);
            }
            Observation::Refused(failure) if failure.kind == FailureKind::Exists => self.existed = true,
            Observation::Refused(failure)
                if matches!(failure.kind, FailureKind::State | FailureKind::Missing) && self.refused < PATIENCE =>
            {
                // The stack moved in between.
                self.refused += 1;
                self.makes = self.makes.saturating_sub(1);
                self.enter(Phase::Looking);
                let wait = self.pause();
                self.id = None;
                return vec![wait, Action::Describe(None)];
            }
            Observation::Refused(failure) => return Self::finish(Ending::Call(failure)),
            _ => return Self::finish(Ending::Call(Failure::new("step", FailureKind::Unreadable, "no answer was seen"))),
        }
        self.enter(Phase::Reviewing(kind));
        vec![Action::DescribeChangeSet(self.name())]
    }

    fn review_again(&mut self) -> Vec<Action> {
        let wait = self.pause();
        vec![wait, Action::DescribeChangeSet(self.name())]
    }

    pub(super) fn reviewed(&mut self, kind: SetKind, set: Option<ChangeSetSeen>, now: Timestamp) -> Vec<Action> {
        let Some(set) = set else {
            // It may not be seen everywhere yet.
            self.refused += 1;
            return if self.refused < 6 { self.review_again() } else { self.make(kind) };
        };
        self.id = Some(set.stack.clone());
        if set.is_empty() && !(self.existed && matches!(self.goal, Goal::Prepare { fresh: true, .. })) {
            return self.drop_set(kind, set.id, Then::Unchanged);
        }
        let differs = self.existed && matches!(self.goal, Goal::Prepare { fresh: true, .. });
        match (set.status, set.execution) {
            (ChangeSetStatus::Complete, Execution::Available) if differs => self.drop_set(kind, set.id, Then::Again),
            (ChangeSetStatus::Pending, _) if now.since(self.began) > BLIND * 20 => {
                Self::finish(Ending::Refused(format!("the change set `{}` is still worked out", set.name)))
            }
            (ChangeSetStatus::Pending, _) => self.review_again(),
            (ChangeSetStatus::Complete, Execution::Available) => {
                let takes_over = self.before.as_ref().and_then(|stack| self.owner.differs(stack)).unwrap_or_default();
                Self::finish(Ending::Prepared { set, new: kind == SetKind::Create, takes_over })
            }
            // A run before this one told it to go on.
            (ChangeSetStatus::Complete, Execution::InProgress) => {
                self.joined = true;
                self.enter(Phase::Looking);
                self.look()
            }
            (ChangeSetStatus::Deleted, _) => {
                self.enter(Phase::Making(kind));
                let wait = self.pause();
                self.makes += 1;
                if self.makes > PATIENCE { self.make(kind) } else { vec![wait, Action::Create { name: self.name(), kind }] }
            }
            (ChangeSetStatus::Failed, _) if !self.existed => self.drop_set(kind, set.id, Then::Refused(set.reason)),
            // It is of a run before, and cannot be used: outdated, carried out, or refused for a reason that may have passed.
            (ChangeSetStatus::Failed | ChangeSetStatus::Complete, _) => self.drop_set(kind, set.id, Then::Again),
        }
    }

    fn drop_set(&mut self, kind: SetKind, id: String, then: Then) -> Vec<Action> {
        self.enter(Phase::Dropping(kind, then));
        vec![Action::DeleteChangeSet(id)]
    }

    /// Whether it was taken or refused: a change set that cannot be removed does not stand in the way.
    pub(super) fn dropped(&mut self, kind: SetKind, then: Then) -> Vec<Action> {
        match (then, self.before.clone()) {
            (Then::Again, _) => self.make(kind),
            (Then::Unchanged, Some(stack)) => Self::finish(Ending::Unchanged(stack)),
            (Then::Unchanged, None) => Self::finish(Ending::Refused("the template makes nothing".to_owned())),
            (Then::Refused(reason), _) if kind == SetKind::Create => {
                // Nothing is left of what could not even be shown.
                self.enter(Phase::Clearing(reason));
                let stack = self.id.clone().unwrap_or_default();
                let token = self.token("clear");
                vec![Action::Delete { stack, token, retain: Vec::new() }]
            }
            (Then::Refused(reason), _) => Self::finish(Ending::Refused(reason)),
        }
    }

    pub(super) fn cleared(&mut self, reason: String, seen: Observation) -> Vec<Action> {
        self.refused += 1;
        let there = match seen {
            Observation::Accepted => true,
            Observation::Stack(stack) => stack.is_some_and(|stack| stack.status.settled() != Settled::Gone),
            _ => false,
        };
        if there && self.refused < PATIENCE { self.look() } else { Self::finish(Ending::Refused(reason)) }
    }
}
