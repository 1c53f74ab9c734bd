//! A pod's priority is that of its class. Source: kubernetes `plugin/pkg/admission/priority`.

use super::{Admission, Review};
use k8s::kinds::{POD, PRIORITY_CLASS};
use k8s::{ApiError, Fields, Value};
use std::sync::Arc;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "Priority", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !review.creates(POD) {
        return Ok(());
    }
    let class = match review.object.text("spec.priorityClassName") {
        "" => default_class(review),
        name => {
            let found = review.core().objects.get(PRIORITY_CLASS, "", name);
            Some(found.ok_or_else(|| review.forbidden(&format!("no PriorityClass with name {name} was found")))?.value)
        }
    };
    let priority = class.as_ref().and_then(|class| class.int("value")).unwrap_or(0);
    if let Some(given) = review.object.int("spec.priority").filter(|given| *given != priority) {
        return Err(review.forbidden(&format!("the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name")));
    }
    let policy =
        class.as_ref().map(|class| class.text("preemptionPolicy")).filter(|policy| !policy.is_empty()).unwrap_or("PreemptLowerPriority");
    if let Some(class) = &class {
        review.object.set("spec.priorityClassName", class.name());
    }
    review.object.set("spec.priority", priority);
    if review.object.text("spec.preemptionPolicy").is_empty() {
        review.object.set("spec.preemptionPolicy", policy);
    }
    Ok(())
}

fn default_class(review: &Review<'_>) -> Option<Arc<Value>> {
    let classes = review.core().objects.list(PRIORITY_CLASS, "");
    classes.into_iter().filter(|class| class.flag("globalDefault")).min_by_key(|class| class.int("value").unwrap_or(0))
}
