//! Deployments, ReplicaSets, ReplicationControllers, PodTemplates, ControllerRevisions.

use super::cells::{age, containers, containers_at, labels, or_none, selector, selector_or_none};
use super::{AGE, Column, NAME, Printer, number, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

const CONTAINERS: Column = wide("Containers", "Names of the template's containers.");
const IMAGES: Column = wide("Images", "Images of the template's containers.");
const SELECTOR: Column = wide("Selector", "Which pods it counts as its own.");

pub(super) static DEPLOYMENT: Printer = Printer {
    kind: kinds::DEPLOYMENT,
    columns: &[
        NAME,
        text("Ready", "Pods that are ready, of those wanted."),
        text("Up-to-date", "Pods of the newest template."),
        text("Available", "Pods that have been ready for long enough."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: deployment,
};

const REPLICAS: &[Column] = &[
    NAME,
    number("Desired", "Pods that are wanted."),
    number("Current", "Pods that are there."),
    number("Ready", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(super) static REPLICA_SET: Printer = Printer {
    kind: kinds::REPLICA_SET,
    columns: REPLICAS,
    cells: |object, now| replicas(object, selector_or_none(object, "spec.selector"), now),
};

pub(super) static REPLICATION_CONTROLLER: Printer = Printer {
    kind: kinds::REPLICATION_CONTROLLER,
    columns: REPLICAS,
    cells: |object, now| replicas(object, labels(object, "spec.selector"), now),
};

pub(super) static CONTROLLER_REVISION: Printer = Printer {
    kind: kinds::CONTROLLER_REVISION,
    columns: &[NAME, text("Controller", "Whose revision it is."), text("Revision", "Its number."), AGE],
    cells: controller_revision,
};

pub(super) static POD_TEMPLATE: Printer = Printer {
    kind: kinds::POD_TEMPLATE,
    columns: &[
        NAME,
        text("Containers", "Names of the template's containers."),
        text("Images", "Images of the template's containers."),
        text("Pod Labels", "Labels of pods made from it."),
    ],
    cells: pod_template,
};

fn pod_template(object: &Value, _: Timestamp) -> Vec<Value> {
    let [names, images] = containers_at(object, "template");
    vec![json!(object.name()), names, images, labels(object, "template.metadata.labels")]
}

fn count(object: &Value, path: &str) -> i64 {
    object.int(path).unwrap_or(0)
}

fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(object);
    vec![
        json!(object.name()),
        json!(format!("{}/{}", count(object, "status.readyReplicas"), object.int("spec.replicas").unwrap_or(1))),
        json!(count(object, "status.updatedReplicas")),
        json!(count(object, "status.availableReplicas")),
        age(object, now),
        names,
        images,
        json!(selector(object.at("spec.selector")).unwrap_or_default()),
    ]
}

fn replicas(object: &Value, selector: Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(object);
    vec![
        json!(object.name()),
        json!(object.int("spec.replicas").unwrap_or(1)),
        json!(count(object, "status.replicas")),
        json!(count(object, "status.readyReplicas")),
        age(object, now),
        names,
        images,
        selector,
    ]
}

fn controller_revision(object: &Value, now: Timestamp) -> Vec<Value> {
    let owner = object.controller().map(|owner| {
        let group = owner.text("apiVersion").rsplit_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
        format!("{}{group}/{}", owner.text("kind").to_lowercase(), owner.text("name"))
    });
    vec![json!(object.name()), or_none(&owner.unwrap_or_default()), json!(count(object, "revision")), age(object, now)]
}
