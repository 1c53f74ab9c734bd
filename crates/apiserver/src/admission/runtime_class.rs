//! A pod of a class of runtimes takes over what the class says. Source: kubernetes `plugin/pkg/admission/runtimeclass`.

use super::{Admission, Review};
use k8s::kinds::{POD, RUNTIME_CLASS};
use k8s::{ApiError, Fields, Value};
use serde_json::{Map, json};

/// See the module.
pub const ADMISSION: Admission = Admission { name: "RuntimeClass", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !review.creates(POD) {
        return Ok(());
    }
    let name = review.object.text("spec.runtimeClassName").to_owned();
    let given =
        review.object.at("spec.overhead").filter(|overhead| overhead.as_object().is_some_and(|amounts| !amounts.is_empty())).cloned();
    if name.is_empty() {
        let refused = || review.forbidden("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
        return if given.is_some() { Err(refused()) } else { Ok(()) };
    }
    let class = review.core().objects.get(RUNTIME_CLASS, "", &name);
    let class = class.ok_or_else(|| review.forbidden(&format!("pod rejected: RuntimeClass {name:?} not found")))?.value;
    let fixed = class.at("overhead.podFixed").filter(|fixed| fixed.as_object().is_some_and(|amounts| !amounts.is_empty()));
    match (fixed, given) {
        (None, Some(_)) => {
            return Err(review.forbidden("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"));
        }
        (Some(fixed), Some(given)) if *fixed != given => {
            return Err(review.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"));
        }
        (Some(fixed), _) => review.object.set("spec.overhead", fixed.clone()),
        (None, None) => {}
    }
    place(review, &class)
}

/// The class says where its pods can run.
fn place(review: &mut Review<'_>, class: &Value) -> Result<(), ApiError> {
    let mut selector = review.object.at("spec.nodeSelector").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    for (key, value) in class.texts("scheduling.nodeSelector") {
        if selector.get(key).is_some_and(|own| own != value) {
            let why = format!(
                "pod rejected: conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {}",
                selector[key]
            );
            return Err(review.forbidden(&why));
        }
        selector.insert(key.to_owned(), json!(value));
    }
    if !selector.is_empty() {
        review.object.set("spec.nodeSelector", Value::Object(selector));
    }
    let mut tolerations = review.object.items("spec.tolerations").to_vec();
    for toleration in class.items("scheduling.tolerations") {
        if !tolerations.contains(toleration) {
            tolerations.push(toleration.clone());
        }
    }
    if !tolerations.is_empty() {
        review.object.set("spec.tolerations", tolerations);
    }
    Ok(())
}
