//! Events go an hour after they were last seen.

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::EVENT;
use k8s::{Fields, ObjectRef};
use std::time::Duration;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "event-ttl-controller",
    watches: &[Watch { kind: EVENT, concerns: |event, _| workload::itself(EVENT, event) }],
    step,
};

const LIFE: Duration = Duration::from_secs(3_600);

fn step(reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
    let Some(event) = world.find(reference) else { return Step::done() };
    let seen =
        ["series.lastObservedTime", "lastTimestamp", "eventTime", "metadata.creationTimestamp"].iter().find_map(|path| event.time(path));
    let age = seen.map_or(LIFE, |seen| now.since(seen));
    if age < LIFE {
        return Step::done().again_in(LIFE.saturating_sub(age));
    }
    let delete = Write::Delete { object: reference.clone(), uid: event.uid().to_owned(), propagation: "Background", now: true };
    Step::write(vec![delete])
}
