//! `wharf deploy`: what is built and written down, into the cluster.

use super::{Command, arguments};
use crate::context::Context;
use crate::stages::{Run, Selection};
use base::Problem;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "deploy", about: "Applies the project's manifests and waits until they serve", define: Deploy::augment_args, run };

#[derive(Debug, Args)]
struct Deploy {
    /// The project's folder
    folder: Option<PathBuf>,
    /// Leaves a failed rollout as it is
    #[arg(long)]
    no_rollback: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Deploy = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    let mut run = Run::new(context, asked.folder.as_deref())?;
    run.no_rollback = asked.no_rollback;
    run.go(&Selection::of(&["prepare", "build", "deploy"]).stages()?)?;
    Ok(ExitCode::SUCCESS)
}
