//! A claim that names no class gets the default one. Source: kubernetes `plugin/pkg/admission/storage/storageclass/setdefault`.

use super::{Admission, Review};
use k8s::kinds::{PERSISTENT_VOLUME_CLAIM, STORAGE_CLASS};
use k8s::{ApiError, Fields};

/// See the module.
pub const ADMISSION: Admission = Admission { name: "DefaultStorageClass", review };

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    let named = review.object.at("spec.storageClassName").is_some()
        || review.object.annotation("volume.beta.kubernetes.io/storage-class").is_some();
    if !review.creates(PERSISTENT_VOLUME_CLAIM) || named {
        return Ok(());
    }
    let classes = review.core().objects.list(STORAGE_CLASS, "");
    let defaults = classes.iter().filter(|class| class.annotation(DEFAULT) == Some("true"));
    // The newest of several, as the API server picks it.
    if let Some(class) = defaults.max_by_key(|class| class.text("metadata.creationTimestamp").to_owned()) {
        review.object.set("spec.storageClassName", class.name());
    }
    Ok(())
}
