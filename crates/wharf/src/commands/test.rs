//! `wharf test`: the project's own tests.

use super::{Command, arguments};
use crate::context::Context;
use crate::stages::{Run, Selection};
use base::Problem;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "test", about: "Runs the project's tests", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The project's folder
    folder: Option<PathBuf>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    Run::new(context, asked.folder.as_deref())?.go(&Selection::of(&["test"]).stages()?)?;
    Ok(ExitCode::SUCCESS)
}
