//! Cluster: the one that the environment's context names.

use super::{Done, Run, Stage};
use crate::output::Running;
use crate::target::Place;
use base::Problem;

/// See the module.
pub const STAGE: Stage = Stage {
    name: "cluster",
    on_demand: false,
    needs_cluster: false,
    applies: |run| matches!(run.place, Place::Context { .. }),
    judges_release: false,
    interrupted: "nothing was deployed; run this again",
    run,
};

fn run(run: &mut Run, _: &Running<'_>) -> Result<Done, Problem> {
    let cluster = run.connect()?;
    let version = run.tokio.block_on(cluster.version())?;
    let Place::Context { name, .. } = &run.place else { return Ok(Done::unchanged("")) };
    Ok(Done::new(format!("{name} at {}, {version}", cluster.server())))
}
