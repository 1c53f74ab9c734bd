//! The commands, one file each; [`COMMANDS`] lists them.

mod doctor;
mod engine;
mod exec;
mod explain;
mod image;
mod lint;
mod logs;

use crate::context::Context;
use base::Problem;
use std::process::ExitCode;

/// One command.
pub struct Command {
    /// What is typed.
    pub name: &'static str,
    /// One line for the list.
    pub about: &'static str,
    /// Adds its arguments.
    pub define: fn(clap::Command) -> clap::Command,
    /// Does it.
    pub run: fn(&Context, &clap::ArgMatches) -> Result<ExitCode, Problem>,
}

/// Every command, in the order of the help.
pub const COMMANDS: &[Command] =
    &[lint::COMMAND, explain::COMMAND, logs::COMMAND, exec::COMMAND, image::COMMAND, engine::COMMAND, doctor::COMMAND];

/// The typed arguments of a command.
///
/// # Errors
/// When clap's own definition and reading disagree, which a test excludes.
fn arguments<T: clap::FromArgMatches>(matches: &clap::ArgMatches) -> Result<T, Problem> {
    T::from_arg_matches(matches).map_err(|error| crate::cli::usage(error.to_string()))
}
