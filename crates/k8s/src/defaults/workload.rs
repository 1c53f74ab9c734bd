//! Deployments, ReplicaSets, PodTemplates.

use super::{fill, fill_pointer, inside, pod};
use crate::Value;
use crate::object::Fields;

/// A Deployment.
pub fn deployment(object: &mut Value) {
    let Some(spec) = inside(object, "spec") else { return };
    fill(spec, "replicas", 1);
    fill(spec, "strategy.type", "RollingUpdate");
    if spec.text("strategy.type") == "RollingUpdate" {
        fill_pointer(spec, "strategy.rollingUpdate.maxUnavailable", "25%");
        fill_pointer(spec, "strategy.rollingUpdate.maxSurge", "25%");
    }
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    template(spec);
}

/// A ReplicaSet.
pub fn replica_set(object: &mut Value) {
    let Some(spec) = inside(object, "spec") else { return };
    fill(spec, "replicas", 1);
    template(spec);
}

/// A PodTemplate.
pub fn pod_template(object: &mut Value) {
    template(object);
}

fn template(spec: &mut Value) {
    if let Some(template) = inside(spec, "template.spec") {
        pod::template_spec(template);
    }
}
