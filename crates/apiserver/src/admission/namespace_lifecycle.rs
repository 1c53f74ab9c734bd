//! Nothing is created in a namespace that is not there or on its way out.

use super::{Admission, Operation, Review};
use k8s::kinds::NAMESPACE;
use k8s::{ApiError, Cause, Fields};

/// See the module.
pub const ADMISSION: Admission = Admission { name: "NamespaceLifecycle", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !review.call.target.kind.is_namespaced() || review.operation != Operation::Create {
        return Ok(());
    }
    let name = review.object.namespace();
    let namespace = review.core().objects.get(NAMESPACE, "", name).ok_or_else(|| ApiError::not_found(NAMESPACE, name))?;
    if !namespace.value.is_terminating() {
        return Ok(());
    }
    let mut error = review.forbidden(&format!("unable to create new content in namespace {name} because it is being terminated"));
    error.causes = vec![Cause {
        reason: "NamespaceTerminating",
        field: "metadata.namespace".to_owned(),
        message: format!("namespace {name} is being terminated"),
    }];
    Err(error)
}
