//! What a build tells while it runs.

use std::time::Duration;

/// Which step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepId {
    /// The stage's name, or its number.
    pub stage: String,
    /// From 1.
    pub number: usize,
    /// How many the stage has.
    pub of: usize,
}

/// What a build tells while it runs; steps of independent stages come mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step begins.
    Started {
        /// Which.
        step: StepId,
        /// The instruction as one line.
        instruction: String,
    },
    /// A command wrote a line; terminal escapes are still in it.
    Output {
        /// Which step.
        step: StepId,
        /// Without its line break.
        line: String,
    },
    /// A step is done.
    Finished {
        /// Which.
        step: StepId,
        /// Whether nothing had to be done.
        cached: bool,
        /// Why it was not cached: what differs from the last time.
        reasons: Vec<String>,
        /// How long it took.
        took: Duration,
    },
}
