//! From a stack to none.

use super::{Action, BLIND, Ending, Goal, Observation, PATIENCE, Phase, StackState};
use crate::cloudformation::seen::StackSeen;
use crate::cloudformation::status::{Settled, StackStatus};
use crate::failure::{Failure, FailureKind};
use base::Timestamp;

/// What could not be removed while something else still held it often can be at the second try.
const MOST_REMOVALS: u32 = 2;

impl StackState {
    /// A stack that is to go.
    pub(super) fn remove(&mut self, stack: StackSeen, now: Timestamp) -> Vec<Action> {
        match stack.status {
            StackStatus::DeleteInProgress => {
                self.moved = true;
                self.enter(Phase::Removing);
                self.look()
            }
            // Nothing has to be waited for before what is only being made is removed.
            StackStatus::CreateInProgress => self.delete(stack, now),
            status if status.settled() == Settled::Busy => {
                self.joined = true;
                self.look()
            }
            _ if stack.protected => Self::finish(Ending::Protected(stack)),
            _ => self.delete(stack, now),
        }
    }

    pub(super) fn delete(&mut self, stack: StackSeen, now: Timestamp) -> Vec<Action> {
        // Only of what could not be removed may parts be let go of.
        let retain = match &self.goal {
            Goal::Remove { retain } if stack.status == StackStatus::DeleteFailed => retain.clone(),
            _ => Vec::new(),
        };
        (self.since, self.moved) = (now, false);
        self.removals += 1;
        self.before = Some(stack.clone());
        self.enter(Phase::Deleting);
        let token = self.token("delete");
        vec![Action::Delete { stack: stack.id, token, retain }]
    }

    pub(super) fn deleting(&mut self, seen: Observation, _: Timestamp) -> Vec<Action> {
        match seen {
            Observation::Accepted => {
                self.enter(Phase::Removing);
                self.look()
            }
            Observation::Refused(failure)
                if matches!(failure.kind, FailureKind::State | FailureKind::Missing) && self.refused < PATIENCE =>
            {
                self.refused += 1;
                self.removals = self.removals.saturating_sub(1);
                self.enter(Phase::Looking);
                self.look()
            }
            Observation::Refused(failure) => Self::finish(Ending::Call(failure)),
            _ => Self::finish(Ending::Call(Failure::new("step", FailureKind::Unreadable, "no answer was seen"))),
        }
    }

    pub(super) fn removed(&mut self, stack: Option<StackSeen>, now: Timestamp) -> Vec<Action> {
        let Some(stack) = stack.filter(|stack| stack.status != StackStatus::DeleteComplete) else {
            let ending = match &self.goal {
                Goal::Remove { .. } => Ending::Gone(self.id.clone()),
                _ => Ending::Settled,
            };
            return vec![Action::Events, Action::Finish(ending)];
        };
        self.moved |= self.before.as_ref().is_some_and(|before| before.status != stack.status || before.deleted != stack.deleted);
        match stack.status {
            StackStatus::DeleteInProgress => {
                self.moved = true;
                self.look()
            }
            StackStatus::DeleteFailed if self.moved && self.removals >= self.tries() => {
                vec![Action::Events, Action::Finish(Ending::Failed(stack))]
            }
            StackStatus::DeleteFailed if self.moved => {
                let mut actions = vec![Action::Events];
                actions.extend(self.delete(stack, now));
                actions
            }
            // It was not seen to go yet.
            _ if now.since(self.since) > BLIND && self.removals < PATIENCE => self.delete(stack, now),
            _ if now.since(self.since) > BLIND => Self::finish(Ending::Failed(stack)),
            _ => self.look(),
        }
    }

    /// One more where parts may be let go of: the first try shows whether they must.
    fn tries(&self) -> u32 {
        match &self.goal {
            Goal::Remove { retain } if !retain.is_empty() => MOST_REMOVALS + 1,
            _ => MOST_REMOVALS,
        }
    }
}
