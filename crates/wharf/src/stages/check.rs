//! Check: the project's own commands, each in a container of a build target of an image.

use super::{Done, Run, Stage, build};
use crate::command::Tail;
use crate::commands::run::watched;
use crate::inputs;
use crate::output::Running;
use crate::settings::CommandLine;
use base::Problem;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "check",
    on_demand: false,
    needs_cluster: false,
    applies: |run| !run.project.settings().checks.is_empty(),
    judges_release: false,
    interrupted: "its containers were ended and nothing was deployed; the next run begins them again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let (mut done, mut known) = (0, 0);
    for (image, check) in run.project.settings().checks.clone() {
        let built = build::target(run, running, &image, check.target.as_deref())?;
        let stage = format!("check {image}");
        let key = inputs::key(&check.run.to_string(), &built.image.to_string());
        if run.memory.knows(&stage, &key) {
            known += 1;
            continue;
        }
        one(run, running, &stage, &built.image.to_string(), &check.run)?;
        run.memory.remember(&stage, &key);
        done += 1;
    }
    let plural = |count: usize| if count == 1 { "1 check".to_owned() } else { format!("{count} checks") };
    Ok(match (done, known) {
        (0, known) => Done::unchanged(format!("{} passed before on the same image", plural(known))),
        (done, _) => Done::new(format!("{} passed", plural(done))),
    })
}

fn one(run: &Run, running: &Running<'_>, stage: &str, image: &str, command: &CommandLine) -> Result<(), Problem> {
    let (tail, verbose) = (Tail::default(), run.context.output.is_verbose());
    let ended = watched(&run.context, image, command.argv(), &|line| {
        tail.take(line);
        if verbose {
            running.note(line);
        }
    })?;
    if ended.code == 0 { Ok(()) } else { Err(tail.failure(stage, command, &format!("exit code {}", ended.code))) }
}
