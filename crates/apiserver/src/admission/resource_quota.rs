//! ResourceQuota: what a namespace may use in all. The count is made and written in the turn and the transaction of the
//! write that it allows, so that two writes at once cannot both take the last of it.
//!
//! Source for rules and words: kubernetes `staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota`.

use super::{Admission, Operation, Review};
use crate::handler::Call;
use crate::objects;
use crate::request::key;
use k8s::kinds::{EVENT, POD, RESOURCE_QUOTA};
use k8s::usage::{self, Amounts};
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use store::Op;

/// See the module.
pub const ADMISSION: Admission = Admission { name: "ResourceQuota", review };

/// Whether a write is counted, and so waits for its turn.
pub fn concerns(call: &Call<'_>) -> bool {
    let target = &call.target;
    let counted = target.kind.is_namespaced() && target.kind != EVENT && target.kind != RESOURCE_QUOTA && target.subresource.is_empty();
    counted && call.core.objects.store.count(&crate::request::prefix(RESOURCE_QUOTA, &target.namespace)) > 0
}

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    if !concerns(review.call) {
        return Ok(());
    }
    let kind = review.call.target.kind;
    for quota in review.core().objects.list(RESOURCE_QUOTA, review.object.namespace()) {
        judge(review, kind, &quota)?;
    }
    Ok(())
}

fn judge(review: &mut Review<'_>, kind: &'static Kind, quota: &Arc<Value>) -> Result<(), ApiError> {
    let hard = usage::amounts(quota.at("spec.hard"));
    let counted = |object: &Value| if usage::in_scope(quota, kind, object) { usage::of_object(kind, object) } else { Amounts::new() };
    let (after, before) = (counted(review.object), review.old.map(counted).unwrap_or_default());
    if kind == POD && review.operation == Operation::Create && usage::in_scope(quota, kind, review.object) {
        must_say(review, quota, &hard)?;
    }
    // What is asked for is the difference; an update that frees something is always right.
    let asked: Vec<(&String, i128)> = hard
        .keys()
        .filter_map(|name| {
            let more = after.get(name).copied().unwrap_or(0) - before.get(name).copied().unwrap_or(0);
            (more > 0).then_some((name, more))
        })
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let used = used(review, quota, &hard);
    let over: Vec<&(&String, i128)> = asked
        .iter()
        .filter(|(name, more)| {
            let (used, hard) = (used.get(*name).copied().unwrap_or(0), hard.get(*name).copied().unwrap_or(0));
            used + more > hard
        })
        .collect();
    if over.is_empty() {
        let total = asked.iter().fold(used, |mut total, (name, more)| {
            *total.entry((*name).clone()).or_insert(0) += more;
            total
        });
        review.more.extend(written(quota, &hard, &total));
        return Ok(());
    }
    let show = |amount: &dyn Fn(&str) -> i128| {
        over.iter().map(|(name, _)| format!("{name}={}", usage::show(name, amount(name)))).collect::<Vec<_>>().join(",")
    };
    let requested = show(&|name| over.iter().find(|(known, _)| *known == name).map_or(0, |(_, more)| *more));
    let (used, limited) = (show(&|name| used.get(name).copied().unwrap_or(0)), show(&|name| hard.get(name).copied().unwrap_or(0)));
    Err(review.forbidden(&format!("exceeded quota: {}, requested: {requested}, used: {used}, limited: {limited}", quota.name())))
}

/// What the namespace uses now, counted from the objects themselves.
fn used(review: &Review<'_>, quota: &Value, hard: &Amounts) -> Amounts {
    let mut total: Amounts = usage::amounts(quota.at("status.used"));
    let kind = review.call.target.kind;
    let names: Vec<String> = hard.keys().cloned().collect();
    let mut fresh = Amounts::new();
    for object in review.core().objects.list(kind, review.object.namespace()) {
        if usage::in_scope(quota, kind, &object) {
            usage::add(&mut fresh, &usage::of_object(kind, &object));
        }
    }
    let counts = usage::of_object(kind, review.object);
    for name in names {
        if counts.contains_key(&name) || fresh.contains_key(&name) {
            total.insert(name.clone(), fresh.get(&name).copied().unwrap_or(0));
        }
    }
    total
}

/// A quota on CPU or memory wants every container to say how much. Source: kubernetes `pkg/quota/v1/evaluator/core/pods.go`.
fn must_say(review: &Review<'_>, quota: &Value, hard: &Amounts) -> Result<(), ApiError> {
    let mut missing: Vec<String> = Vec::new();
    for name in hard.keys() {
        let (side, resource) = match name.as_str() {
            "cpu" | "requests.cpu" => ("requests", "cpu"),
            "memory" | "requests.memory" => ("requests", "memory"),
            "limits.cpu" => ("limits", "cpu"),
            "limits.memory" => ("limits", "memory"),
            _ => continue,
        };
        let amounts = |container: &Value| container.at("resources").and_then(|resources| resources.at(side)).cloned();
        let silent = |container: &&Value| amounts(container).is_none_or(|amounts| amounts.member(resource).is_none());
        let containers = review.object.items("spec.containers").iter().chain(review.object.items("spec.initContainers"));
        let named: Vec<&str> = containers.filter(silent).map(|container| container.text("name")).collect();
        if !named.is_empty() {
            missing.push(format!("{name} for: {}", named.join(",")));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(review.forbidden(&format!("failed quota: {}: must specify {}", quota.name(), missing.join("; "))))
}

/// The quota with its new count.
fn written(quota: &Value, hard: &Amounts, total: &Amounts) -> Option<Op> {
    let show = |amounts: &Amounts| -> Json {
        let members: Map<String, Json> =
            hard.keys().map(|name| (name.clone(), json!(usage::show(name, amounts.get(name).copied().unwrap_or(0))))).collect();
        Json::Object(members)
    };
    let mut changed = quota.clone();
    changed.set("status.hard", quota.at("spec.hard").cloned().unwrap_or_else(|| json!({})));
    changed.set("status.used", show(total));
    if changed == *quota {
        return None;
    }
    let (value, at) = objects::encode(&mut changed);
    Some(Op::Put { key: key(RESOURCE_QUOTA, quota.namespace(), quota.name()).into(), value, stamp: Some(at) })
}
