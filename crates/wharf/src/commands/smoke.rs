//! `wharf smoke`: the project's smoke checks.

use super::{Command, arguments};
use crate::context::Context;
use crate::stages::{Run, Selection};
use base::Problem;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "smoke", about: "Sends the project's smoke checks to what runs", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The project's folder
    folder: Option<PathBuf>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    Run::new(context, asked.folder.as_deref())?.go(&Selection::of(&["smoke"]).stages()?)?;
    Ok(ExitCode::SUCCESS)
}
