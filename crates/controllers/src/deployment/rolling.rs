//! How the sets' sizes move: rolling, recreating, in proportion. Source: Kubernetes' documentation of Deployment strategies.

use super::sets::{Sets, available, bounds, desired, maximum, resize, wanted};
use crate::world::{World, Write};
use k8s::kinds::POD;
use k8s::{Fields, Value};
use std::sync::Arc;

/// Grows the new set as far as the surge allows, and shrinks old ones as far as availability allows.
pub fn roll(deployment: &Value, sets: &Sets) -> Vec<Write> {
    let Some(new) = &sets.new else { return Vec::new() };
    let grown = grow(deployment, sets, new);
    if grown.is_empty() { shrink(deployment, sets, new) } else { grown }
}

fn grow(deployment: &Value, sets: &Sets, new: &Value) -> Vec<Write> {
    let (desired, size) = (desired(deployment), wanted(new));
    if size >= desired {
        return resize(deployment, new, desired);
    }
    let room = desired + bounds(deployment).0 - sets.all().map(|set| wanted(set)).sum::<i64>();
    resize(deployment, new, size + room.clamp(0, desired - size))
}

fn shrink(deployment: &Value, sets: &Sets, new: &Value) -> Vec<Write> {
    let minimum = desired(deployment) - bounds(deployment).1;
    let total: i64 = sets.all().map(|set| wanted(set)).sum();
    let new_unavailable = wanted(new) - available(new);
    let mut removable = total - minimum - new_unavailable;
    if removable <= 0 {
        return Vec::new();
    }
    let mut sizes: Vec<(&Arc<Value>, i64)> = sets.old.iter().filter(|set| wanted(set) > 0).map(|set| (set, wanted(set))).collect();
    // Pods that serve nobody go first; they cost no availability.
    for (set, size) in &mut sizes {
        let broken = (*size - available(set)).clamp(0, removable);
        *size -= broken;
        removable -= broken;
    }
    let mut spare = sets.all().map(|set| available(set)).sum::<i64>() - minimum;
    for (_, size) in &mut sizes {
        let less = (*size).min(spare.max(0)).min(removable.max(0));
        *size -= less;
        spare -= less;
        removable -= less;
    }
    sizes.into_iter().flat_map(|(set, size)| resize(deployment, set, size)).collect()
}

/// Ends all old pods, and only when they are gone starts new ones.
pub fn recreate(deployment: &Value, sets: &Sets, world: &dyn World) -> Vec<Write> {
    let ended: Vec<Write> = sets.old.iter().filter(|set| wanted(set) > 0).flat_map(|set| resize(deployment, set, 0)).collect();
    if !ended.is_empty() {
        return ended;
    }
    let runs = |set: &Arc<Value>| {
        let pods = world.controlled(POD, set.namespace(), set.uid());
        pods.iter().any(|pod| !matches!(pod.text("status.phase"), "Succeeded" | "Failed"))
    };
    if sets.old.iter().any(runs) {
        return Vec::new();
    }
    sets.new.iter().flat_map(|new| resize(deployment, new, desired(deployment))).collect()
}

/// Spreads a changed number of replicas over all sets in proportion to their sizes.
pub fn proportional(deployment: &Value, sets: &Sets) -> Vec<Write> {
    let active: Vec<&Arc<Value>> = sets.all().filter(|set| wanted(set) > 0).collect();
    let target = desired(deployment);
    match active.as_slice() {
        [] => sets.new.iter().flat_map(|set| resize(deployment, set, target)).collect(),
        [one] => resize(deployment, one, target),
        several if deployment.text("spec.strategy.type") == "Recreate" => {
            several.iter().flat_map(|set| resize(deployment, set, wanted(set))).collect()
        }
        several => {
            let allowed = if target > 0 { target + bounds(deployment).0 } else { 0 };
            let missing = allowed - several.iter().map(|set| wanted(set)).sum::<i64>();
            let mut ranked = several.to_vec();
            let created = |set: &Value| set.text("metadata.creationTimestamp").to_owned();
            // Of equal sets the newer grows first, the older shrinks first.
            ranked.sort_by_key(|set| (created(set), set.name().to_owned()));
            if missing > 0 {
                ranked.reverse();
            }
            ranked.sort_by_key(|set| std::cmp::Reverse(wanted(set)));
            let sizes = shares(&ranked, allowed, missing);
            ranked.iter().zip(sizes).flat_map(|(set, size)| resize(deployment, set, size)).collect()
        }
    }
}

/// The new sizes: each set keeps its share of the most pods that there may be, rounded; the first takes what rounding leaves.
/// Source: kubernetes `pkg/controller/deployment/sync.go`, function scale.
fn shares(ranked: &[&Arc<Value>], allowed: i64, missing: i64) -> Vec<i64> {
    let before = |set: &Value| maximum(set).filter(|&most| most > 0).unwrap_or_else(|| wanted(set)).max(1);
    let mut left = missing;
    let mut sizes = Vec::with_capacity(ranked.len());
    for set in ranked {
        let (size, most) = (wanted(set), before(set));
        let share = (2 * size * allowed + most).div_euclid(2 * most) - size;
        let change = if missing > 0 { share.clamp(0, left) } else { share.clamp(left, 0) };
        left -= change;
        sizes.push(size + change);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + left).max(0);
    }
    sizes
}
