//! What to do next about a stack: pure, from what is wanted and what was seen last.

mod execute;
mod prepare;
mod remove;
mod words;

pub use words::{Action, Ending, Goal, Observation, SetKind};

use super::owner::Owner;
use super::seen::StackSeen;
use super::status::{Settled, StackStatus};
use crate::aws::random;
use crate::failure::{Failure, FailureKind};
use base::Timestamp;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What was done so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackState {
    pub(super) goal: Goal,
    /// Whose the stack must be.
    pub(super) owner: Owner,
    pub(super) phase: Phase,
    /// The stack's ARN, once it was seen.
    pub(super) id: Option<String>,
    /// The stack as it was seen before something was changed.
    pub(super) before: Option<StackSeen>,
    /// Looks in a row without a change of phase.
    polls: u32,
    /// Since when a change waits to be seen.
    pub(super) since: Timestamp,
    /// Whether the operation was seen to run.
    pub(super) moved: bool,
    /// Whether an operation of somebody else, or of a run before, was waited for.
    pub(super) joined: bool,
    /// Whether a rollback was told to go on.
    pub(super) continued: bool,
    /// How often a removal was begun.
    pub(super) removals: u32,
    /// How often a change set was made.
    pub(super) makes: u32,
    /// How often a change set was there before it was made.
    pub(super) existed: bool,
    /// Refusals because of the stack's state, and change sets that were not found yet.
    pub(super) refused: u32,
    began: Timestamp,
    seed: u64,
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The stack is looked at before anything is done.
    Looking,
    /// A change set was asked for.
    Making(SetKind),
    /// It is worked out.
    Reviewing(SetKind),
    /// A change set is removed, and then.
    Dropping(SetKind, Then),
    /// An empty stack that held nothing but a refused change set is removed.
    Clearing(String),
    /// The change set to be carried out is looked at.
    Checking,
    /// Whether it was carried out already is asked.
    Asking,
    /// It was told to be carried out.
    Executing,
    /// The operation is followed.
    Following,
    /// Whether it began at all is asked.
    Confirming,
    /// A rollback was told to go on.
    Continuing,
    /// The stack was told to go.
    Deleting,
    /// Its removal is followed.
    Removing,
}

/// What comes after a change set was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Again,
    Unchanged,
    Refused(String),
}

/// EKS takes half an hour in bad cases; nothing takes longer than this.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// For how long what was told may not be seen yet: answers may come from before.
pub(super) const BLIND: Duration = Duration::from_secs(60);
/// Refusals that may pass.
pub(super) const PATIENCE: u32 = 20;

impl StackState {
    /// Before anything was done.
    pub fn new(goal: Goal, owner: Owner, seed: u64, now: Timestamp) -> Self {
        Self {
            goal,
            owner,
            phase: Phase::Looking,
            id: None,
            before: None,
            polls: 0,
            since: now,
            moved: false,
            joined: false,
            continued: false,
            removals: 0,
            makes: 0,
            existed: false,
            refused: 0,
            began: now,
            seed,
        }
    }

    /// Half a second at first, five in the end, never all at the same moment.
    pub(super) fn pause(&mut self) -> Action {
        self.polls += 1;
        let bound = Duration::from_millis(500).saturating_mul(1 << self.polls.min(4)).min(Duration::from_secs(5));
        let part = u32::try_from(random(self.seed, self.polls) % 500).unwrap_or(0);
        Action::Wait(bound * (500 + part) / 1000)
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            (self.phase, self.polls) = (phase, 0);
        }
    }

    /// Looks at the stack again after a while.
    pub(super) fn look(&mut self) -> Vec<Action> {
        let wait = self.pause();
        let mut actions = vec![wait];
        if self.moved || self.joined {
            actions.push(Action::Events);
        }
        actions.push(Action::Describe(self.id.clone()));
        actions
    }

    /// Follows from what is done and to what, so that the same asked twice is done once.
    pub(super) fn token(&self, what: &str) -> String {
        let before = self.before.as_ref();
        let moved = before.map(|stack| [&stack.updated, &stack.deleted, &stack.status_text].map(String::as_str)).unwrap_or_default();
        let parts = [&[what, self.id.as_deref().unwrap_or_default()], &moved[..]].concat();
        token(&parts)
    }

    /// Ends, with all that happened told.
    pub(super) fn finish(ending: Ending) -> Vec<Action> {
        vec![Action::Finish(ending)]
    }

    /// Lets a rollback that stopped go on.
    pub(super) fn go_on(&mut self, stack: StackSeen) -> Vec<Action> {
        let skip = match &self.goal {
            Goal::Settle { skip } => skip.clone(),
            _ => Vec::new(),
        };
        (self.continued, self.before, self.moved) = (true, Some(stack.clone()), false);
        self.enter(Phase::Continuing);
        let token = self.token("continue");
        vec![Action::Continue { stack: stack.id, token, skip }]
    }
}

/// A name of at most 128 letters, digits and `-` that follows from its parts.
pub(crate) fn token(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = base::ids::hex(&hash.finalize());
    format!("wharf-{}", digest.get(..32).unwrap_or(&digest))
}

/// What follows from what was seen.
pub fn step(mut state: StackState, seen: Observation, now: Timestamp) -> (StackState, Vec<Action>) {
    if let Observation::Stack(Some(stack)) = &seen
        && now.since(state.began) > LONGEST
        && stack.status.settled() == Settled::Busy
    {
        let status = stack.status;
        return (state, StackState::finish(Ending::Slow(status)));
    }
    let actions = match (state.phase.clone(), seen) {
        (Phase::Looking, Observation::Begin) => match &state.goal {
            Goal::Execute { change_set, stack } => {
                let change_set = change_set.clone();
                state.id = Some(stack.clone());
                state.enter(Phase::Checking);
                vec![Action::DescribeChangeSet(change_set)]
            }
            _ => vec![Action::Describe(None)],
        },
        (Phase::Looking, Observation::Stack(stack)) => state.looked(stack, now),
        (Phase::Making(kind), seen) => state.made(kind, seen),
        (Phase::Reviewing(kind), Observation::ChangeSet(set)) => state.reviewed(kind, set, now),
        (Phase::Dropping(kind, then), Observation::Accepted | Observation::Refused(_)) => state.dropped(kind, then),
        (Phase::Clearing(reason), seen) => state.cleared(reason, seen),
        (Phase::Checking, Observation::ChangeSet(set)) => state.checked(set),
        (Phase::Asking, Observation::Operation(ours)) => state.asked(ours),
        (Phase::Executing, seen) => state.executing(seen, now),
        (Phase::Following, Observation::Stack(stack)) => state.followed(stack, now),
        (Phase::Confirming, Observation::ChangeSet(set)) => state.confirmed(set, now),
        (Phase::Continuing, seen) => state.continued(seen),
        (Phase::Deleting, seen) => state.deleting(seen, now),
        (Phase::Removing, Observation::Stack(stack)) => state.removed(stack, now),
        // A call that only looks was refused for good.
        (_, Observation::Refused(failure)) => StackState::finish(Ending::Call(failure)),
        (phase, seen) => {
            let failure = Failure::new("step", FailureKind::Unreadable, format!("{seen:?} was seen in {phase:?}"));
            StackState::finish(Ending::Call(failure))
        }
    };
    (state, actions)
}

impl StackState {
    /// The stack before anything is done, or between.
    fn looked(&mut self, stack: Option<StackSeen>, now: Timestamp) -> Vec<Action> {
        let Some(stack) = stack.filter(|stack| stack.status != StackStatus::DeleteComplete) else {
            return match &self.goal {
                Goal::Settle { .. } => Self::finish(Ending::Settled),
                Goal::Prepare { .. } => {
                    self.before = None;
                    self.make(SetKind::Create)
                }
                Goal::Execute { .. } => Self::finish(Ending::Stale("the stack is not there any more".to_owned())),
                Goal::Remove { .. } => Self::finish(Ending::Gone(self.id.clone())),
            };
        };
        if let Some(said) = self.owner.refuses(&stack) {
            return Self::finish(Ending::Foreign(said));
        }
        self.id = Some(stack.id.clone());
        self.before = Some(stack.clone());
        let settled = stack.status.settled();
        match (&self.goal, settled) {
            (Goal::Remove { .. }, _) => self.remove(stack, now),
            (_, Settled::Busy) => {
                self.joined = true;
                self.look()
            }
            (Goal::Settle { .. }, Settled::HalfWay) if self.continued => Self::finish(Ending::Failed(stack)),
            (Goal::Settle { .. }, Settled::HalfWay) => self.go_on(stack),
            (Goal::Settle { .. }, Settled::Broken) => self.delete(stack, now),
            (Goal::Settle { .. }, _) => Self::finish(Ending::Settled),
            // What was waited for failed: whoever waited is to know before it is tried anew.
            (Goal::Prepare { .. }, Settled::Ready | Settled::HalfWay | Settled::Broken) if self.joined && !stack.status.is_success() => {
                Self::finish(Ending::Failed(stack))
            }
            (Goal::Prepare { .. }, Settled::HalfWay | Settled::Broken) => Self::finish(Ending::Unsettled(stack)),
            (Goal::Prepare { .. }, Settled::Empty) => self.make(SetKind::Create),
            (Goal::Prepare { import, .. }, _) => {
                let kind = if *import { SetKind::Import } else { SetKind::Update };
                self.make(kind)
            }
            (Goal::Execute { .. }, _) => Self::finish(Ending::Stale("the stack has moved".to_owned())),
        }
    }

    fn continued(&mut self, seen: Observation) -> Vec<Action> {
        match seen {
            Observation::Accepted => {}
            Observation::Refused(failure) if failure.kind == FailureKind::State && self.refused < PATIENCE => self.refused += 1,
            Observation::Refused(failure) => return Self::finish(Ending::Call(failure)),
            _ => return Self::finish(Ending::Call(Failure::new("step", FailureKind::Unreadable, "no answer was seen"))),
        }
        // The rollback goes on: it is followed to its end, which is judged as any other.
        self.joined = true;
        let phase = if matches!(self.goal, Goal::Execute { .. }) { Phase::Following } else { Phase::Looking };
        self.moved = matches!(phase, Phase::Following);
        self.enter(phase);
        self.look()
    }
}
