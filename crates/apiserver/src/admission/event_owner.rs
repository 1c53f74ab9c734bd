//! An event stands in the namespace of what it tells of.

use super::{Admission, Review};
use k8s::kinds::EVENT;
use k8s::{ApiError, Fields};

/// See the module.
pub const ADMISSION: Admission = Admission { name: "EventNamespace", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !review.creates(EVENT) {
        return Ok(());
    }
    let (namespace, about) = (review.object.namespace(), review.object.text("involvedObject.namespace"));
    if about.is_empty() && namespace == "default" || about == namespace || about.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("involvedObject.namespace: {about:?} does not match event.namespace: {namespace:?}")))
}
