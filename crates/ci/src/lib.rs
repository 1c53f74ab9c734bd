//! Runs: what begins them, in which order they go, who does them, and what is kept of them.

mod event;
pub mod queue;
mod run;
mod runs;

pub use event::Event;
pub use run::{Artefact, Cause, Commit, Run, RunId, RunState, StageRun, StageState, Trigger};
pub use runs::{Asked, Begun, Change, Changes, Filter, LogPage, OpenError, Options, Refs, Runs, RunsError, Said, Taken, Told, Work};
