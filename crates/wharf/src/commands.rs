//! The commands, one file each; [`COMMANDS`] lists them.

mod advisories;
mod alerts;
mod approve;
pub(crate) mod build;
mod ci;
mod deploy;
pub(crate) mod doctor;
mod down;
mod engine;
mod exec;
mod explain;
mod history;
pub(crate) mod image;
mod infra;
mod init;
mod lint;
mod load;
mod login;
mod logout;
mod logs;
pub(crate) mod monitor;
mod plan;
mod pull;
mod push;
mod registry;
mod rollback;
pub(crate) mod run;
mod sbom;
mod scan;
mod settings;
mod smoke;
mod status;
mod task;
mod test;
mod up;
mod why;

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
pub const COMMANDS: &[Command] = &[
    up::COMMAND,
    down::COMMAND,
    status::COMMAND,
    logs::COMMAND,
    exec::COMMAND,
    task::COMMAND,
    lint::COMMAND,
    test::COMMAND,
    build::COMMAND,
    image::COMMAND,
    push::COMMAND,
    pull::COMMAND,
    login::COMMAND,
    logout::COMMAND,
    run::COMMAND,
    scan::COMMAND,
    sbom::COMMAND,
    advisories::COMMAND,
    plan::COMMAND,
    approve::COMMAND,
    deploy::COMMAND,
    rollback::COMMAND,
    history::COMMAND,
    why::COMMAND,
    smoke::COMMAND,
    load::COMMAND,
    infra::COMMAND,
    settings::COMMAND,
    init::COMMAND,
    explain::COMMAND,
    registry::COMMAND,
    ci::COMMAND,
    engine::COMMAND,
    monitor::COMMAND,
    alerts::COMMAND,
    doctor::COMMAND,
];

/// The typed arguments of a command.
///
/// # Errors
/// When clap's own definition and reading disagree, which a test excludes.
fn arguments<T: clap::FromArgMatches>(matches: &clap::ArgMatches) -> Result<T, Problem> {
    T::from_arg_matches(matches).map_err(|error| crate::cli::usage(error.to_string()))
}
