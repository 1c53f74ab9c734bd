//! ResourceQuota: keeps `status.used` true when objects go; admission keeps it when they come.

use crate::workload;
use crate::world::{Controller, Step, Watch, World, Write};
use base::Timestamp;
use k8s::kinds::{POD, RESOURCE_QUOTA};
use k8s::usage::{self, Amounts};
use k8s::{Fields, KINDS, ObjectRef, Value};
use serde_json::{Map, json};

/// See the module.
pub const CONTROLLER: Controller = Controller { name: "resourcequota-controller", watches: &WATCHES, step };

const WATCHES: [Watch; KINDS.len()] = crate::world::all_kinds(concerns);

fn concerns(object: &Value, world: &dyn World) -> Vec<ObjectRef> {
    if object.namespace().is_empty() || object.text("kind") == "Event" {
        return Vec::new();
    }
    workload::referring(world, RESOURCE_QUOTA, object.namespace(), |_| true)
}

fn step(reference: &ObjectRef, world: &dyn World, _: Timestamp) -> Step {
    let Some(quota) = world.find(reference) else { return Step::done() };
    let hard = quota.at("spec.hard").cloned().unwrap_or_else(|| json!({}));
    let names: Vec<&String> = hard.as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let total = total(&quota, &names, world);
    let used: Map<String, Value> =
        names.iter().map(|name| ((*name).clone(), json!(usage::show(name, total.get(*name).copied().unwrap_or(0))))).collect();
    let status = json!({"hard": hard, "used": used});
    if quota.at("status") == Some(&status) {
        return Step::done();
    }
    let mut changed = (*quota).clone();
    changed["status"] = status;
    Step::write(vec![Write::UpdateStatus(RESOURCE_QUOTA, changed)])
}

fn total(quota: &Value, names: &[&String], world: &dyn World) -> Amounts {
    let mut total = Amounts::new();
    let counted = |kind: &&'static k8s::Kind| {
        let count = format!("count/{}", kind.qualified_resource());
        let is_pod = *kind == POD;
        kind.is_namespaced()
            && names.iter().any(|name| {
                **name == count || is_pod || name.contains(kind.resource) || name.starts_with("services.") || name.ends_with("storage")
            })
    };
    for kind in KINDS.iter().copied().filter(counted) {
        for object in world.list(kind, Some(quota.namespace())) {
            if usage::in_scope(quota, kind, &object) {
                usage::add(&mut total, &usage::of_object(kind, &object));
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestWorld;

    #[test]
    fn counts_what_is_there() {
        let quota = json!({"metadata": {"name": "q", "namespace": "d"}, "spec": {"hard": {"pods": "2", "limits.memory": "1Gi", "count/secrets": "9"}}});
        let pod =
            json!({"metadata": {"name": "p", "namespace": "d"}, "spec": {"containers": [{"resources": {"limits": {"memory": "64Mi"}}}]}});
        let mut world = TestWorld::with(&[(RESOURCE_QUOTA, quota), (POD, pod)]);
        world.settle(&CONTROLLER);
        let quota = world.get(RESOURCE_QUOTA, "d", "q").expect("quota");
        assert_eq!(quota.at("status.used"), Some(&json!({"pods": "1", "limits.memory": "64Mi", "count/secrets": "0"})));
    }
}
