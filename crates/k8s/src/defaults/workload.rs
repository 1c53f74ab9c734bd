//! Deployments, ReplicaSets, ReplicationControllers, PodTemplates.

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

/// A ReplicationController: the labels of its template select its pods, and are its own, where nothing else is said.
/// Source: kubernetes `pkg/apis/core/v1/defaults.go`.
pub fn replication_controller(object: &mut Value) {
    let labels = object.at("spec.template.metadata.labels").filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()));
    if let Some(labels) = labels.cloned() {
        for path in ["spec.selector", "metadata.labels"] {
            if object.texts(path).is_empty() {
                object.set(path, labels.clone());
            }
        }
    }
    replica_set(object);
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
