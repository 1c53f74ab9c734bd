//! Runs: what begins them, in which order they go, who does them, and what is kept of them.

mod event;
mod folder;
mod git;
mod held;
pub mod hook;
pub mod queue;
mod repositories;
mod rules;
mod run;
pub mod runner;
mod runs;
mod secrets;
mod server;
mod tokens;

pub use event::Event;
pub use folder::{FolderError, ProjectFolder};
pub use git::{Git, GitError};
pub use repositories::{Known, Repositories, RepositoryError, is_name};
pub use rules::{Moved, Rule, Rules, matches};
pub use run::{Artefact, Cause, Commit, Run, RunId, RunState, StageRun, StageState, Trigger};
pub use runs::{
    Asked, Begun, Branches, Change, Changes, Filter, LogPage, OpenError, Options, Pending, Refs, Runs, RunsError, Said, Taken, Told, Work,
};
pub use secrets::{Secret, SecretError, Secrets};
pub use server::{Pushed, ReadRules, Say, Server, ServerError, ServerOptions, Started, hook_purpose, token_purpose};
pub use tokens::{Right, Role, Tokens, Who};
