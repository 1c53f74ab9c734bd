//! Deployment: a ReplicaSet for each template, rolled from the old to the new one.

mod rolling;
mod sets;
mod status;

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{DEPLOYMENT, POD, REPLICA_SET};
use k8s::{Fields, ObjectRef, Value};
use sets::Sets;

/// See the module.
pub const CONTROLLER: Controller = Controller {
    name: "deployment-controller",
    watches: &[
        Watch { kind: DEPLOYMENT, concerns: |deployment, _| workload::itself(DEPLOYMENT, deployment) },
        Watch { kind: REPLICA_SET, concerns: |set, _| workload::controller_of(DEPLOYMENT, set) },
        // Recreate waits until the old pods are gone.
        Watch { kind: POD, concerns: of_pod },
    ],
    step,
};

fn of_pod(pod: &Value, world: &dyn World) -> Vec<ObjectRef> {
    let sets = workload::controller_of(REPLICA_SET, pod);
    sets.iter().filter_map(|set| world.find(set)).flat_map(|set| workload::controller_of(DEPLOYMENT, &set)).collect()
}

fn step(reference: &ObjectRef, world: &dyn World, now: Timestamp) -> Step {
    let Some(deployment) = world.find(reference) else { return Step::done() };
    let sets = Sets::of(&deployment, world);
    if deployment.is_terminating() {
        return status::step(&deployment, &sets, now);
    }
    let adopted = sets.adoptions(&deployment, world);
    if !adopted.is_empty() {
        return Step::write(adopted);
    }
    let mut writes = Vec::new();
    if !deployment.flag("spec.paused") {
        writes = sets.ensure_new(&deployment, world);
    }
    // What follows counts on the new set being there; the writes bring the controller back.
    if writes.is_empty() {
        writes = if deployment.flag("spec.paused") || sets.is_scaling(&deployment) {
            rolling::proportional(&deployment, &sets)
        } else if deployment.text("spec.strategy.type") == "Recreate" {
            rolling::recreate(&deployment, &sets, world)
        } else {
            rolling::roll(&deployment, &sets)
        };
        writes.extend(sets.superfluous(&deployment));
    }
    let mut step = status::step(&deployment, &sets, now);
    step.writes.extend(writes);
    step
}

fn event(deployment: &Value, reason: &'static str, message: String) -> Write {
    Write::Event { regarding: ObjectRef::of(DEPLOYMENT, deployment), uid: deployment.uid().to_owned(), warning: false, reason, message }
}

#[cfg(test)]
mod tests;
