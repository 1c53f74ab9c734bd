//! Volumes, claims, classes.

use super::{fill, fill_pointer, round_amounts};
use crate::Value;

/// A PersistentVolume.
pub fn persistent_volume(object: &mut Value) {
    fill(object, "status.phase", "Pending");
    fill(object, "spec.persistentVolumeReclaimPolicy", "Retain");
    fill_pointer(object, "spec.volumeMode", "Filesystem");
    if super::inside(object, "spec.hostPath").is_some() {
        super::inside(object, "spec.hostPath").into_iter().for_each(|source| {
            if source.get("type").is_none_or(Value::is_null) {
                source["type"] = Value::String(String::new());
            }
        });
    }
    round_amounts(object, "spec.capacity");
}

/// A PersistentVolumeClaim.
pub fn persistent_volume_claim(object: &mut Value) {
    fill(object, "status.phase", "Pending");
    fill_pointer(object, "spec.volumeMode", "Filesystem");
    for path in ["spec.resources.requests", "spec.resources.limits", "status.capacity"] {
        round_amounts(object, path);
    }
}

/// A StorageClass.
pub fn storage_class(object: &mut Value) {
    fill_pointer(object, "reclaimPolicy", "Delete");
    fill_pointer(object, "volumeBindingMode", "Immediate");
}
