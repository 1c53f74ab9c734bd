//! What goes on in the made-up world: a run is begun, its stages go by, and so on.

use crate::runs;
use crate::world::{World, now};
use ci::{RunId, RunState, StageState};
use std::sync::Arc;
use std::time::Duration;

/// Lets runs go by for as long as it is polled.
pub async fn go_on(world: Arc<World>) {
    let mut id = RunId(34);
    loop {
        run(&world, id).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        id = world.add(|id| runs::begun(id, "request-info", "main", "One more change"));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn run(world: &Arc<World>, id: RunId) {
    world.change(id, |run| (run.state, run.began, run.runner) = (RunState::Running, Some(now()), Some("runner-2".into())));
    for name in runs::STAGES {
        stage(world, id, name).await;
    }
    world.change(id, |run| (run.state, run.ended) = (RunState::Passed, Some(now())));
}

async fn stage(world: &Arc<World>, id: RunId, name: &str) {
    let set = |state: StageState, milliseconds: Option<u64>| {
        world.change(id, |run| {
            if let Some(stage) = run.stages.iter_mut().find(|stage| stage.name == name) {
                (stage.state, stage.milliseconds) = (state, milliseconds);
                stage.began = stage.began.or(Some(now()));
            }
        });
    };
    let began = tokio::time::Instant::now();
    set(StageState::Running, None);
    for at in 0..12 {
        world.say(id, name, [format!("\u{1b}[36m{name}\u{1b}[0m line {at}")]);
        tokio::time::sleep(Duration::from_millis(250)).await;
        if name == "deploy" {
            let detail = runs::pods((at / 3).min(4), false);
            world
                .change(id, |run| run.stages.iter_mut().filter(|stage| stage.name == name).for_each(|stage| stage.detail = detail.clone()));
        }
    }
    set(StageState::Done, u64::try_from(began.elapsed().as_millis()).ok());
}
