//! How the sets' sizes move: rolling, recreating, in proportion. Source: Kubernetes' documentation of Deployment strategies.

use super::sets::{Sets, available, bounds, desired, resize, wanted};
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
            let total: i64 = several.iter().map(|set| wanted(set)).sum();
            let allowed = if target > 0 { target + bounds(deployment).0 } else { 0 };
            let mut ranked = several.to_vec();
            ranked.sort_by_key(|set| std::cmp::Reverse(wanted(set)));
            let mut sizes: Vec<i64> = ranked.iter().map(|set| wanted(set) * allowed / total.max(1)).collect();
            // Rounding leaves a few over: the largest set takes them.
            if let Some(first) = sizes.first_mut() {
                *first += (allowed - ranked.iter().map(|set| wanted(set) * allowed / total.max(1)).sum::<i64>()).max(0);
            }
            ranked.iter().zip(sizes).flat_map(|(set, size)| resize(deployment, set, size)).collect()
        }
    }
}
