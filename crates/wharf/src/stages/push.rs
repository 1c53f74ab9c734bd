//! Push: the images into the environment's registry, from which its cluster takes them.

use super::{Done, Run, Stage};
use crate::output::{Running, Stages, Verdict};
use crate::registry;
use base::{Problem, ProblemKind};
use delivery::saved::PlannedImage;
use oci::Reference;
use std::collections::BTreeMap;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "push",
    on_demand: false,
    needs_cluster: false,
    applies: |run| !run.planning && run.registry().is_some() && !run.project.settings().images.is_empty(),
    judges_release: false,
    interrupted: "what was pushed stays in the registry and nothing was deployed; the next run pushes the rest",
    run,
};

fn run(run: &mut Run, running: &Running<'_>) -> Result<Done, Problem> {
    push(run, running, &run.planned_images())
}

/// Pushes the images of a plan where they are not there yet.
///
/// # Errors
/// When one can neither be found in the registry nor be pushed.
pub fn deliver(run: &Run, stages: &mut Stages, images: &BTreeMap<String, PlannedImage>) -> Result<(), Problem> {
    if run.registry().is_none() || images.is_empty() {
        return Ok(());
    }
    let running = stages.begin(STAGE.name);
    crate::interrupt::doing(format!("in push: {}", STAGE.interrupted));
    match push(run, &running, images) {
        Ok(done) => running.end(done.verdict, &done.summary),
        Err(problem) => {
            running.end(Verdict::Failed, "");
            return Err(problem);
        }
    }
    Ok(())
}

fn push(run: &Run, running: &Running<'_>, images: &BTreeMap<String, PlannedImage>) -> Result<Done, Problem> {
    let remote = registry::remote(&run.context, &run.project)?;
    let store = crate::commands::image::open(&run.context)?;
    let verbose = run.context.output.is_verbose();
    let tags = [run.source(), "latest".to_owned()];
    let (mut uploaded, mut skipped) = (0, 0);
    let tell = |progress: blobs::remote::Progress| {
        if verbose {
            running.note(&format!("{}: {:?}, {} bytes", progress.what, progress.step, progress.done).to_lowercase());
        }
    };
    for image in images.values() {
        let to: Reference = image.reference.parse().map_err(|error| Problem::new(ProblemKind::Usage, format!("{error}")))?;
        let local = store.images().resolve(&image.id).map_err(crate::commands::image::problem);
        let pushed = match local {
            Ok(local) => run.tokio.block_on(remote.push(&store, &local, &to, &tags, registry::COMPRESSION, &tell)),
            // Somebody else's machine built it, and pushed it.
            Err(missing) => match run.tokio.block_on(remote.resolve(&to)) {
                Ok(_) => continue,
                Err(error) => return Err(missing.hint(format!("nor is it in the registry: {error}"))),
            },
        };
        let pushed = pushed.map_err(registry::problem)?;
        if to.digest.is_some_and(|planned| planned != pushed.digest) {
            let message = format!("the image {} became {} when it was pushed", image.reference, pushed.digest);
            return Err(Problem::new(ProblemKind::Defect, message));
        }
        uploaded += pushed.uploaded;
        skipped += pushed.skipped;
    }
    let plural = if images.len() == 1 { "image" } else { "images" };
    let summary = format!("{} {plural}, {uploaded} blobs sent, {skipped} there already", images.len());
    Ok(if uploaded == 0 { Done::unchanged(summary) } else { Done::new(summary) })
}
