//! LimitRange: defaults of requests and limits, and their bounds. Source: kubernetes `plugin/pkg/admission/limitranger`.

use super::{Admission, Operation, Review};
use k8s::kinds::{LIMIT_RANGE, PERSISTENT_VOLUME_CLAIM, POD};
use k8s::usage::{self, Amounts};
use k8s::{ApiError, Fields, Value, quantity};
use serde_json::json;
use std::sync::Arc;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "LimitRanger", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    let kind = review.call.target.kind;
    let pods = kind == POD && review.operation == Operation::Create && review.call.target.subresource.is_empty();
    if !pods && kind != PERSISTENT_VOLUME_CLAIM {
        return Ok(());
    }
    let ranges = review.core().objects.list(LIMIT_RANGE, review.object.namespace());
    let limits: Vec<&Value> = ranges.iter().flat_map(|range: &Arc<Value>| range.items("spec.limits")).collect();
    if pods {
        limits.iter().filter(|limit| limit.text("type") == "Container").for_each(|limit| fill(review.object, limit));
    }
    let mut wrong = Vec::new();
    for limit in limits {
        match limit.text("type") {
            "Container" if pods => check_containers(review.object, limit, &mut wrong),
            "Pod" if pods => {
                let (requests, maxima) =
                    (usage::of_pod(review.object, usage::Side::Requests), usage::of_pod(review.object, usage::Side::Limits));
                check(limit, "Pod", &requests, &maxima, &mut wrong);
            }
            "PersistentVolumeClaim" if kind == PERSISTENT_VOLUME_CLAIM => {
                let requests = usage::amounts(review.object.at("spec.resources.requests"));
                check(limit, "PersistentVolumeClaim", &requests, &requests, &mut wrong);
            }
            _ => {}
        }
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(review.forbidden(one)),
        more => Err(review.forbidden(&format!("[{}]", more.join(", ")))),
    }
}

/// Fills in what a container leaves open.
fn fill(pod: &mut Value, limit: &Value) {
    for containers in ["spec.initContainers", "spec.containers"] {
        let mut list = pod.items(containers).to_vec();
        for container in &mut list {
            for (from, to) in [("defaultRequest", "requests"), ("default", "limits")] {
                for (name, value) in limit.texts(from) {
                    let path = format!("resources.{to}");
                    let missing = container.at(&path).and_then(|amounts| amounts.member(name)).is_none();
                    // A limit that the container sets itself stands in for the request, as the defaults of pods do it.
                    if missing {
                        let amounts = container.at_mut(&path);
                        if amounts.is_null() {
                            *amounts = json!({});
                        }
                        amounts[name] = json!(value);
                    }
                }
            }
        }
        if !list.is_empty() {
            pod.set(containers, list);
        }
    }
}

fn check_containers(pod: &Value, limit: &Value, wrong: &mut Vec<String>) {
    for container in pod.items("spec.containers").iter().chain(pod.items("spec.initContainers")) {
        let (requests, limits) = (usage::amounts(container.at("resources.requests")), usage::amounts(container.at("resources.limits")));
        check(limit, "Container", &requests, &limits, wrong);
    }
}

fn check(limit: &Value, what: &str, requests: &Amounts, limits: &Amounts, wrong: &mut Vec<String>) {
    for (name, bound) in limit.texts("min") {
        let Some(least) = quantity::parse_milli(bound) else { continue };
        match requests.get(name) {
            None => wrong.push(format!("minimum {name} usage per {what} is {bound}.  No request is specified")),
            Some(&asked) if asked < least => {
                wrong.push(format!("minimum {name} usage per {what} is {bound}, but request is {}", usage::show(name, asked)))
            }
            Some(_) => {}
        }
    }
    for (name, bound) in limit.texts("max") {
        let Some(most) = quantity::parse_milli(bound) else { continue };
        match limits.get(name).or_else(|| (what == "PersistentVolumeClaim").then(|| requests.get(name)).flatten()) {
            None => wrong.push(format!("maximum {name} usage per {what} is {bound}.  No limit is specified")),
            Some(&asked) if asked > most => {
                let side = if what == "PersistentVolumeClaim" { "request" } else { "limit" };
                wrong.push(format!("maximum {name} usage per {what} is {bound}, but {side} is {}", usage::show(name, asked)));
            }
            Some(_) => {}
        }
    }
    for (name, bound) in limit.texts("maxLimitRequestRatio") {
        let (Some(ratio), Some(&request), Some(&most)) = (quantity::parse_milli(bound), requests.get(name), limits.get(name)) else {
            wrong.push(format!("{name} max limit to request ratio per {what} is {bound}, but no request is specified or request is 0"));
            continue;
        };
        if request == 0 || most * 1_000 > ratio * request {
            let found = if request == 0 { 0.0 } else { most as f64 / request as f64 };
            wrong.push(format!("{name} max limit to request ratio per {what} is {bound}, but provided ratio is {found:.6}"));
        }
    }
}
