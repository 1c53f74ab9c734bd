//! Runs: what begins them, in which order they go, who does them, and what is kept of them.

mod event;
mod run;

pub use event::Event;
pub use run::{Artefact, Cause, Commit, Run, RunId, RunState, StageRun, StageState, Trigger};
