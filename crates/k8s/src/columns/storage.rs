//! PersistentVolumes, PersistentVolumeClaims, StorageClasses.

use super::cells::{age, strings};
use super::{AGE, Column, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

const STATUS: Column = text("Status", "Whether it is bound.");
const CAPACITY: Column = text("Capacity", "Its size.");
const MODES: Column = text("Access Modes", "How it may be mounted.");
const CLASS: Column = text("StorageClass", "The class it is of.");
const ATTRIBUTES: Column = text("VolumeAttributesClass", "The attributes class it is of.");
const VOLUME_MODE: Column = wide("VolumeMode", "File system or block device.");

pub(super) static PERSISTENT_VOLUME: Printer = Printer {
    kind: kinds::PERSISTENT_VOLUME,
    columns: &[
        NAME,
        CAPACITY,
        MODES,
        text("Reclaim Policy", "What becomes of it when its claim goes."),
        STATUS,
        text("Claim", "The claim it is bound to."),
        CLASS,
        ATTRIBUTES,
        text("Reason", "Why it failed."),
        AGE,
        VOLUME_MODE,
    ],
    cells: persistent_volume,
};

pub(super) static PERSISTENT_VOLUME_CLAIM: Printer = Printer {
    kind: kinds::PERSISTENT_VOLUME_CLAIM,
    columns: &[NAME, STATUS, text("Volume", "The volume it is bound to."), CAPACITY, MODES, CLASS, ATTRIBUTES, AGE, VOLUME_MODE],
    cells: persistent_volume_claim,
};

pub(super) static STORAGE_CLASS: Printer = Printer {
    kind: kinds::STORAGE_CLASS,
    columns: &[
        NAME,
        text("Provisioner", "Who makes its volumes."),
        text("ReclaimPolicy", "What becomes of a volume when its claim goes."),
        text("VolumeBindingMode", "When a claim gets its volume."),
        text("AllowVolumeExpansion", "Whether claims may grow."),
        AGE,
    ],
    cells: storage_class,
};

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

fn phase(object: &Value) -> &str {
    if object.is_terminating() { "Terminating" } else { object.text("status.phase") }
}

fn class(object: &Value) -> &str {
    or(object.annotation("volume.beta.kubernetes.io/storage-class").unwrap_or_default(), object.text("spec.storageClassName"))
}

fn modes(object: &Value, path: &str) -> String {
    let given: Vec<&str> = strings(object, path).collect();
    let known = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    known.iter().filter(|(mode, _)| given.contains(mode)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

fn persistent_volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let claim = object.at("spec.claimRef").map(|claim| format!("{}/{}", claim.text("namespace"), claim.text("name")));
    vec![
        json!(object.name()),
        json!(or(object.text("spec.capacity.storage"), "0")),
        json!(modes(object, "spec.accessModes")),
        json!(object.text("spec.persistentVolumeReclaimPolicy")),
        json!(phase(object)),
        json!(claim.unwrap_or_default()),
        json!(class(object)),
        json!(or(object.text("spec.volumeAttributesClassName"), "<unset>")),
        json!(object.text("status.reason")),
        age(object, now),
        json!(or(object.text("spec.volumeMode"), "<unset>")),
    ]
}

fn persistent_volume_claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let bound = !object.text("spec.volumeName").is_empty();
    let capacity = if bound { or(object.text("status.capacity.storage"), "0") } else { "" };
    vec![
        json!(object.name()),
        json!(phase(object)),
        json!(object.text("spec.volumeName")),
        json!(capacity),
        json!(if bound { modes(object, "status.accessModes") } else { String::new() }),
        json!(class(object)),
        json!(or(object.text("spec.volumeAttributesClassName"), "<unset>")),
        age(object, now),
        json!(or(object.text("spec.volumeMode"), "<unset>")),
    ]
}

fn storage_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let default = if marks.iter().any(|mark| object.annotation(mark) == Some("true")) { " (default)" } else { "" };
    vec![
        json!(format!("{}{default}", object.name())),
        json!(object.text("provisioner")),
        json!(or(object.text("reclaimPolicy"), "Delete")),
        json!(or(object.text("volumeBindingMode"), "Immediate")),
        json!(object.flag("allowVolumeExpansion")),
        age(object, now),
    ]
}
