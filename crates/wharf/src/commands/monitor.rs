//! `wharf monitor`: watches what runs, and tells people.

mod background;

use super::{Command, arguments};
use crate::context::Context;
use crate::notify::{Office, Source, stopped};
use crate::project::Project;
use crate::watch::Watch;
use background::{Held, Whereabouts};
use base::{Problem, ProblemKind};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "monitor", about: "Watches what runs and tells people what they should know", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The project's folder
    folder: Option<PathBuf>,
    /// Stays in the foreground until it is told to stop
    #[arg(long)]
    foreground: bool,
    /// Ends the one that runs
    #[arg(long, conflicts_with_all = ["foreground", "status"])]
    stop: bool,
    /// Says whether one runs
    #[arg(long, conflicts_with = "foreground")]
    status: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let project = Project::load(context, asked.folder.as_deref())?;
    let place = background::Place::of(context, project.name());
    if asked.foreground {
        foreground(context, &project, &place)?;
    } else if asked.stop {
        let ran = place.stop()?;
        context.output.say(if ran { "the monitor has ended" } else { "no monitor ran" });
    } else if asked.status {
        let running = place.running();
        tell(context, &project, running.as_ref());
        return Ok(if running.is_some() { ExitCode::SUCCESS } else { ExitCode::from(ProblemKind::Target.exit_code()) });
    } else {
        let running = place.ensure(context, &project)?;
        tell(context, &project, Some(&running));
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(context: &Context, project: &Project, running: Option<&Whereabouts>) {
    let (name, env) = (project.name(), &context.globals.env);
    match running {
        _ if context.output.is_json() => context.output.json(&json!({"project": name, "environment": env, "running": running})),
        Some(running) => context.output.say(&format!("{name} in `{env}` is watched by process {}", running.pid)),
        None => context.output.say(&format!("nobody watches {name} in `{env}`; `wharf monitor` begins")),
    }
}

fn foreground(context: &Context, project: &Project, place: &background::Place) -> Result<(), Problem> {
    let office = Office::open(&context.home, Source::Monitor { project: project.name(), environment: &context.globals.env })?;
    let notify = &project.settings().notify;
    let _held: Held = place.take(context, project)?;
    let watch = Watch::new(context, &project.folder, office.clone())?;
    context.tokio()?.block_on(async {
        let output = &context.output;
        if output.is_json() {
            output.json(&json!({"ready": {"pid": std::process::id(), "project": project.name(), "environment": context.globals.env}}));
        } else {
            output.say(&format!("watching {} in `{}` (process {})", project.name(), context.globals.env, std::process::id()));
        }
        if notify.is_empty() {
            output.warning("nobody is told: wharf.yaml has no `notify`");
        }
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let mut sending = pin!(office.send(context, stopped(stopping)));
        tokio::select! {
            ended = &mut sending => return ended,
            never = watch.run() => match never {},
            asked = super::engine::asked_to_stop() => asked?,
        }
        stop.send_replace(true);
        sending.await
    })
}
