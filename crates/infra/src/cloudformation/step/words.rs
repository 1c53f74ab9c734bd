//! What is wanted, what was seen, what is to be done, and how it ends.

use crate::cloudformation::seen::{ChangeSetSeen, StackSeen};
use crate::cloudformation::status::StackStatus;
use crate::failure::Failure;
use std::time::Duration;

/// What is wanted of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// That a change set can be made: what stopped half-way goes on, what can only be removed is.
    Settle {
        /// Resources that a rollback leaves as they are.
        skip: Vec<String>,
    },
    /// A change set that was worked out.
    Prepare {
        /// Of all that is wanted: the change set's name follows from it.
        digest: String,
        /// Whether it takes in resources that stand already.
        import: bool,
        /// Whether one of the same name that is there already may differ from it.
        fresh: bool,
    },
    /// That a change set is carried out.
    Execute {
        /// Its ARN.
        change_set: String,
        /// The stack's ARN.
        stack: String,
    },
    /// That nothing is left.
    Remove {
        /// Resources that are let go of where they cannot be removed.
        retain: Vec<String>,
    },
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing yet.
    Begin,
    /// The stack; nothing where there is none.
    Stack(Option<StackSeen>),
    /// The change set; nothing where there is none.
    ChangeSet(Option<ChangeSetSeen>),
    /// The last call was taken.
    Accepted,
    /// The last call was refused for good.
    Refused(Failure),
    /// Whether the stack's last operation is the one with our token.
    Operation(bool),
}

/// How a change set comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// It makes the stack.
    Create,
    /// It changes it.
    Update,
    /// It takes resources in.
    Import,
}

/// What is to be done; in order, of each list at most one is a call, and the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Wait.
    Wait(Duration),
    /// Tell what happened since.
    Events,
    /// Look at the stack, by its id where that is known.
    Describe(Option<String>),
    /// Look at a change set.
    DescribeChangeSet(String),
    /// Ask whether the stack's last operation has this token.
    Operation {
        /// The stack.
        stack: String,
        /// The token.
        token: String,
    },
    /// Make a change set.
    Create {
        /// Its name, and the idempotency token.
        name: String,
        /// How.
        kind: SetKind,
    },
    /// Remove a change set.
    DeleteChangeSet(String),
    /// Carry one out.
    Execute {
        /// Its ARN.
        change_set: String,
        /// The idempotency token.
        token: String,
    },
    /// Let a rollback go on.
    Continue {
        /// The stack.
        stack: String,
        /// The idempotency token.
        token: String,
        /// What it leaves as it is.
        skip: Vec<String>,
    },
    /// Remove the stack.
    Delete {
        /// The stack.
        stack: String,
        /// The idempotency token.
        token: String,
        /// What is let go of.
        retain: Vec<String>,
    },
    /// It is over.
    Finish(Ending),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A change set can be made.
    Settled,
    /// A change set waits to be carried out.
    Prepared {
        /// It.
        set: ChangeSetSeen,
        /// Whether it makes the stack.
        new: bool,
        /// What the stack's tags say that it takes over; empty where it is ours.
        takes_over: String,
    },
    /// There is nothing to change.
    Unchanged(StackSeen),
    /// No change set could be made, for this reason.
    Refused(String),
    /// The stack is as it should be.
    Done(StackSeen),
    /// The operation failed; the stack stands as shown.
    Failed(StackSeen),
    /// Nothing can be changed before it is settled.
    Unsettled(StackSeen),
    /// The change set cannot be carried out any more.
    Stale(String),
    /// It is gone; nothing where it was not there before.
    Gone(Option<String>),
    /// It is another's: what its tags say.
    Foreign(String),
    /// It refuses to be removed.
    Protected(StackSeen),
    /// A call was refused for good.
    Call(Failure),
    /// It is still under way after all the time that it may take.
    Slow(StackStatus),
}
