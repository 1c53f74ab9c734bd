//! Events go an hour after they were last written, whatever times they tell of. Source: the API server's `--event-ttl`.

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
    let written = event.items("metadata.managedFields").iter().filter_map(|entry| entry.time("time"));
    let last = written.chain(event.time("metadata.creationTimestamp")).max();
    let age = last.map_or(LIFE, |last| now.since(last));
    if age < LIFE {
        return Step::done().again_in(LIFE.saturating_sub(age));
    }
    let delete = Write::Delete { object: reference.clone(), uid: event.uid().to_owned(), propagation: "Background", now: true };
    Step::write(vec![delete])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;
    use serde_json::json;

    #[test]
    fn an_event_that_tells_of_long_ago_stays_an_hour_after_its_last_write() {
        let mut world = TestWorld::with(&[]);
        let (made, changed) = (world.now, world.now.plus(Duration::from_secs(1_800)));
        let event = json!({"metadata": {"name": "e", "namespace": "d", "uid": "u", "creationTimestamp": made.rfc3339(),
            "managedFields": [{"time": changed.rfc3339()}]}, "lastTimestamp": "2017-09-19T13:49:16Z", "eventTime": "2017-09-19T13:49:16.000000Z"});
        world.put(EVENT, event);
        world.advance(Duration::from_secs(1_800 + 3_599));
        world.settle(&CONTROLLER);
        assert_eq!(world.list(EVENT, None).len(), 1);
        world.advance(Duration::from_secs(2));
        world.settle(&CONTROLLER);
        assert!(world.list(EVENT, None).is_empty());
    }
}
