//! Volumes of pods.

use super::{each, fill, fill_pointer, inside};
use crate::Value;
use crate::object::Fields;
use serde_json::json;

/// One volume; without a source it is an empty folder.
pub fn volume(volume: &mut Value) {
    let members = volume.as_object().into_iter().flatten();
    if members.filter(|(name, source)| *name != "name" && !source.is_null()).count() == 0 {
        volume.set("emptyDir", json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = inside(volume, source) {
            fill(source, "defaultMode", 0o644);
        }
    }
    if let Some(items) = inside(volume, "downwardAPI") {
        each(items, "items").for_each(field_reference);
    }
    for source in each(volume, "projected.sources") {
        if let Some(token) = inside(source, "serviceAccountToken") {
            fill(token, "expirationSeconds", 3_600);
        }
        each(source, "downwardAPI.items").for_each(field_reference);
    }
    if let Some(folder) = inside(volume, "hostPath")
        && folder.get("type").is_none_or(Value::is_null)
    {
        folder.set("type", "");
    }
    let policy = super::pod::pull_policy(volume.text("image.reference"));
    if let Some(image) = inside(volume, "image") {
        fill(image, "pullPolicy", policy);
    }
    if let Some(spec) = inside(volume, "ephemeral.volumeClaimTemplate.spec") {
        fill_pointer(spec, "volumeMode", "Filesystem");
    }
}

fn field_reference(item: &mut Value) {
    if let Some(field) = inside(item, "fieldRef") {
        fill(field, "apiVersion", "v1");
    }
}
