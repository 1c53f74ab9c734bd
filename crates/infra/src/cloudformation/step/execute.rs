//! From a change set to a stack that is as it says, or as it was.

use super::{Action, BLIND, Ending, Goal, Observation, PATIENCE, Phase, StackState, token};
use crate::cloudformation::seen::{ChangeSetSeen, ChangeSetStatus, Execution, StackSeen};
use crate::cloudformation::status::{Settled, StackStatus};
use crate::failure::{Failure, FailureKind};
use base::Timestamp;

impl StackState {
    fn change_set(&self) -> String {
        match &self.goal {
            Goal::Execute { change_set, .. } => change_set.clone(),
            _ => String::new(),
        }
    }

    fn execute(&mut self) -> Vec<Action> {
        let change_set = self.change_set();
        self.enter(Phase::Executing);
        let token = token(&["execute", &change_set]);
        vec![Action::Execute { change_set, token }]
    }

    fn follow(&mut self) -> Vec<Action> {
        self.enter(Phase::Following);
        self.look()
    }

    /// The change set before it is carried out, or after that was refused.
    pub(super) fn checked(&mut self, set: Option<ChangeSetSeen>) -> Vec<Action> {
        let (status, execution, reason) =
            set.map_or((ChangeSetStatus::Deleted, Execution::Unavailable, String::new()), |set| (set.status, set.execution, set.reason));
        match (status, execution) {
            (ChangeSetStatus::Complete, Execution::Available) => self.execute(),
            (ChangeSetStatus::Complete, Execution::InProgress) => self.follow(),
            (ChangeSetStatus::Complete, Execution::Obsolete) => {
                Self::finish(Ending::Stale("the stack has moved since the plan was made".to_owned()))
            }
            // Once carried out it is removed by the service itself: the stack's own history tells whether it was.
            (ChangeSetStatus::Deleted, _) | (_, Execution::Complete | Execution::Failed) => {
                self.enter(Phase::Asking);
                let token = token(&["execute", &self.change_set()]);
                vec![Action::Operation { stack: self.id.clone().unwrap_or_default(), token }]
            }
            (ChangeSetStatus::Pending, _) => {
                let wait = self.pause();
                vec![wait, Action::DescribeChangeSet(self.change_set())]
            }
            (ChangeSetStatus::Failed | ChangeSetStatus::Complete, _) => {
                Self::finish(Ending::Stale(format!("the plan's change set cannot be carried out: {reason}")))
            }
        }
    }

    pub(super) fn asked(&mut self, ours: bool) -> Vec<Action> {
        if !ours {
            return Self::finish(Ending::Stale(
                "the plan's change set is not there any more, and something else was done since".to_owned(),
            ));
        }
        self.moved = true;
        self.enter(Phase::Following);
        vec![Action::Describe(self.id.clone())]
    }

    pub(super) fn executing(&mut self, seen: Observation, now: Timestamp) -> Vec<Action> {
        match seen {
            Observation::Accepted => {
                (self.since, self.moved) = (now, false);
                self.follow()
            }
            Observation::Refused(failure) => {
                let passing = matches!(failure.kind, FailureKind::State | FailureKind::Missing | FailureKind::Exists);
                self.refused += 1;
                if !passing || self.refused > PATIENCE {
                    return Self::finish(Ending::Call(failure));
                }
                // An answer that was lost: it runs already. Or the stack is busy: then the change set is outdated soon.
                self.enter(Phase::Checking);
                let wait = self.pause();
                vec![wait, Action::DescribeChangeSet(self.change_set())]
            }
            _ => Self::finish(Ending::Call(Failure::new("step", FailureKind::Unreadable, "no answer was seen"))),
        }
    }

    pub(super) fn followed(&mut self, stack: Option<StackSeen>, now: Timestamp) -> Vec<Action> {
        let Some(stack) = stack.filter(|stack| stack.status != StackStatus::DeleteComplete) else {
            return Self::finish(Ending::Stale("the stack was removed by somebody else".to_owned()));
        };
        match stack.status.settled() {
            Settled::Busy => {
                self.moved = true;
                self.look()
            }
            // What is told may be from before the operation began: only the change set knows.
            Settled::Empty => self.confirm(),
            _ if !self.moved => self.confirm(),
            _ if stack.status.is_success() => vec![Action::Events, Action::Finish(Ending::Done(stack))],
            Settled::HalfWay if !self.continued => {
                self.since = now;
                let mut actions = vec![Action::Events];
                actions.extend(self.go_on(stack));
                actions
            }
            _ => vec![Action::Events, Action::Finish(Ending::Failed(stack))],
        }
    }

    fn confirm(&mut self) -> Vec<Action> {
        self.phase = Phase::Confirming;
        vec![Action::DescribeChangeSet(self.change_set())]
    }

    pub(super) fn confirmed(&mut self, set: Option<ChangeSetSeen>, now: Timestamp) -> Vec<Action> {
        let (status, execution) = set.map_or((ChangeSetStatus::Deleted, Execution::Unavailable), |set| (set.status, set.execution));
        // The count of looks goes on: they become rarer.
        self.phase = Phase::Following;
        match (status, execution) {
            (ChangeSetStatus::Complete, Execution::Available) if now.since(self.since) > BLIND => self.execute(),
            (ChangeSetStatus::Complete, Execution::Available | Execution::InProgress) => self.look(),
            (ChangeSetStatus::Complete, Execution::Obsolete) => {
                Self::finish(Ending::Stale("the stack was changed by somebody else before the plan was carried out".to_owned()))
            }
            _ => {
                self.moved = true;
                self.look()
            }
        }
    }
}
