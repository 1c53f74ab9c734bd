//! CloudFormation: a stack is made, changed by change sets that are shown first, and removed.
//!
//! What is under way stands in the cloud, not with us: [`step()`] looks at the stack and goes on from there, so that a run that was killed is
//! taken up by the next. Names of change sets and idempotency tokens follow from what is to be done, so that nothing is done twice.

mod api;
mod changes;
mod drift;
mod drive;
mod events;
mod list;
mod owner;
mod provider;
mod seen;
mod status;
mod step;
pub mod template;
mod wish;

pub use api::Api;
pub use events::causes;
pub use owner::Owner;
pub use provider::{CLOUDFORMATION, CloudFormation};
pub use seen::{ChangeSetSeen, ChangeSetStatus, Execution, StackSeen};
pub use status::{Settled, StackStatus};
pub use step::{Action, Ending, Goal, Observation, StackState, step};
