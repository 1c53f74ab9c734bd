//! `wharf rollback`: an earlier release serves again.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Stages, Verdict};
use crate::stages::{Run, Selection, delivery};
use ::delivery::Options;
use base::Problem;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "rollback", about: "Puts the release before, or the one named, back", define: Rollback::augment_args, run };

#[derive(Debug, Args)]
struct Rollback {
    /// The release's id; the one before when it is left out
    release: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Rollback = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    let mut run = Run::new(context, None)?;
    run.go(&Selection::connecting().stages()?)?;
    let mut stages = Stages::new(context.output.clone(), 8);
    let running = stages.begin("rollback");
    crate::interrupt::doing("in rollback: the release before may be back only in part; run `wharf rollback` again, or `wharf up`");
    let delivery = delivery(&run, &running)?;
    // A failure goes nowhere: there is nothing better to go back to.
    let options = Options { rollback: false, ..Options::default() };
    let done = run.tokio.block_on(delivery.roll_back(run.project.name(), run.project.name(), asked.release.as_deref(), &options));
    match done {
        Ok(deployed) => {
            running.end(Verdict::Done, &format!("release {} serves again", deployed.release));
            if context.output.is_json() {
                context.output.json(&json!({"release": deployed.release, "rolled_back": true}));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            running.end(Verdict::Failed, "");
            Err(Problem::from(error))
        }
    }
}
