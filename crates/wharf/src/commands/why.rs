//! `wharf why`: from what runs back to what allowed it: release, commit, findings, plan, approver, results.

mod known;
mod shown;

use super::{Command, arguments};
use crate::context::Context;
use crate::project::Project;
use base::Problem;
use clap::Args;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "why", about: "Says what allowed a workload, pod or image to run", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The workload (NAME, deployment/NAME, job/NAME, pod/NAME, ...), or an image by its digest (REGISTRY/NAME@sha256:...)
    workload: String,
    /// Asks no cluster and no registry: what this machine's own records say
    #[arg(long)]
    offline: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let project = Project::load(context, None)?;
    let known = if asked.offline {
        known::offline(context, &project, &asked.workload)?
    } else if asked.workload.contains("@sha256:") {
        context.tokio()?.block_on(known::of_image(context, &project, &asked.workload))?
    } else {
        context.tokio()?.block_on(known::online(context, &project, &asked.workload))?
    };
    if context.output.is_json() {
        context.output.json(&shown::json(&asked.workload, &known));
    } else {
        shown::text(&context.output, &asked.workload, &known);
    }
    Ok(ExitCode::SUCCESS)
}
