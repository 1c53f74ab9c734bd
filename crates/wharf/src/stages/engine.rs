//! Engine: the cluster of an environment without a context, started when it does not run.

use super::{Done, Run, Stage};
use crate::context::Context;
use crate::engine_client;
use crate::output::Running;
use crate::target::Place;
use base::{Problem, ProblemKind};
use std::sync::mpsc::{Receiver, channel};

/// See the module.
pub const STAGE: Stage = Stage {
    name: "engine",
    on_demand: false,
    needs_cluster: false,
    applies: |run| run.place == Place::Engine,
    judges_release: false,
    interrupted: "it may still be starting and nothing was deployed; run this again, or end it by `wharf engine stop`",
    run,
};

/// Starts the engine beside whatever else is done.
pub fn begin(context: &Context) -> Receiver<Result<(), Problem>> {
    let (sender, receiver) = channel();
    let context = context.clone();
    std::thread::spawn(move || {
        let _ = sender.send(engine_client::ensure(&context).map(drop));
    });
    receiver
}

fn run(run: &mut Run, _: &Running<'_>) -> Result<Done, Problem> {
    crate::registries::tell_engine(&run.context, &run.project.settings().registries, run.project.name(), &run.project.folder)?;
    let starting = run.starting.take().unwrap_or_else(|| begin(&run.context));
    starting.recv().map_err(|_| Problem::new(ProblemKind::Defect, "the engine's start was lost"))??;
    let server = run.connect()?.server().to_owned();
    Ok(Done::new(format!("ready at {server}")))
}
