//! `wharf down`: all that the project made goes, and a listing proves it.

use super::{Command, arguments};
use crate::context::Context;
use crate::engine_client;
use crate::output::{Stages, Verdict};
use crate::stages::{Run, Selection, delivery};
use crate::target::Place;
use ::delivery::DownOptions;
use base::Problem;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "down", about: "Removes all that the project made, and proves it", define: Down::augment_args, run };

#[derive(Debug, Args)]
struct Down {
    /// The project's folder
    folder: Option<PathBuf>,
    /// Also its data
    #[arg(long)]
    volumes: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Down = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    let mut run = Run::new(context, asked.folder.as_deref())?;
    if run.place == Place::Engine && !engine_client::kubeconfig(context).exists() {
        context.output.say("nothing to remove: no engine was ever started with this home");
        return Ok(ExitCode::SUCCESS);
    }
    run.go(&Selection::connecting().stages()?)?;
    let mut stages = Stages::new(context.output.clone(), 6);
    let running = stages.begin("down");
    crate::interrupt::doing("in down: what was not removed yet still stands; run `wharf down` again");
    let delivery = delivery(&run, &running)?;
    let options = DownOptions { volumes: asked.volumes, ..DownOptions::default() };
    let name = run.project.name();
    let downed = match run.tokio.block_on(delivery.down(name, name, &options)) {
        Ok(downed) => downed,
        Err(problem) => {
            running.end(Verdict::Failed, "");
            return Err(problem);
        }
    };
    if context.output.is_json() {
        context.output.json(&json!(downed));
    }
    if run.place == Place::Engine {
        engine::Registries::default().tell(&context.home, name)?;
    }
    let summary = format!("{} objects removed, nothing with the project's label is left but what is kept", downed.removed.len());
    let nothing = downed.removed.is_empty() && downed.kept.is_empty();
    running.end(if nothing { Verdict::Unchanged } else { Verdict::Done }, if nothing { "there was nothing" } else { &summary });
    for (object, why) in &downed.kept {
        context.output.say(&crate::output::printable(&format!("kept {object}: {why}")));
    }
    Ok(ExitCode::SUCCESS)
}
