//! Prepare: what must be in the context before an image is built, unless nothing has changed since it was made.

use super::{Done, Run, Stage};
use crate::output::Running;
use crate::{command, inputs};
use base::Problem;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "prepare",
    on_demand: false,
    needs_cluster: false,
    applies: super::always,
    judges_release: false,
    interrupted: "its commands were ended and nothing was deployed; the next run begins them again",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    let (done, skipped) = prepare(run, running)?;
    run.prepare_skipped = skipped > 0;
    Ok(match (done, skipped) {
        (0, 0) => Done::unchanged("nothing to prepare"),
        (0, skipped) => Done::unchanged(format!("{skipped} made before from the same inputs")),
        (done, _) => Done::new(format!("{done} made")),
    })
}

/// Runs what has to be run; how many did, and how many were left out.
///
/// # Errors
/// When a command fails.
pub fn prepare(run: &mut Run, running: &Running<'_>) -> Result<(usize, usize), Problem> {
    let (mut done, mut skipped) = (0, 0);
    for (name, image) in run.project.settings().images.clone() {
        let Some(prepare) = image.prepare else { continue };
        let stage = format!("prepare {name}");
        let key = inputs::key(&prepare.to_string(), &run.inputs);
        if run.memory.knows(&stage, &key) {
            skipped += 1;
            continue;
        }
        run.memory.forget(&stage);
        let verbose = run.context.output.takes_lines();
        command::run(&stage, &prepare, &run.project.folder, &|line| {
            if verbose {
                running.note(line);
            }
        })?;
        run.memory.remember(&stage, &key);
        done += 1;
    }
    Ok((done, skipped))
}

/// Forgets what was made, so that it is made again.
pub fn forget(run: &mut Run) {
    let names: Vec<String> = run.project.settings().images.keys().cloned().collect();
    for name in names {
        run.memory.forget(&format!("prepare {name}"));
    }
}
