//! What a deployment's status says, and when its progress counts as stuck.

use super::sets::{Sets, available, bounds, desired, wanted};
use crate::workload;
use crate::world::{Step, Write};
use base::Timestamp;
use k8s::kinds::DEPLOYMENT;
use k8s::{Fields, Value};
use serde_json::json;
use std::time::Duration;

/// Writes the status when it changed, and comes back when the progress deadline may have passed.
pub fn step(deployment: &Value, sets: &Sets, now: Timestamp) -> Step {
    let mut status = counts(deployment, sets);
    let mut conditions = deployment.items("status.conditions").to_vec();
    set_available(deployment, &status, &mut conditions, now);
    set_failure(sets, &mut conditions, now);
    let again = set_progressing(deployment, sets, &status, &mut conditions, now);
    status["conditions"] = json!(conditions);
    let mut step = Step::done();
    if deployment.at("status") != Some(&status) {
        let mut changed = deployment.clone();
        changed["status"] = status;
        step.writes.push(Write::UpdateStatus(DEPLOYMENT, changed));
    }
    match again {
        Some(delay) => step.again_in(delay),
        None => step,
    }
}

fn counts(deployment: &Value, sets: &Sets) -> Value {
    let sum = |field: &str| -> i64 { sets.all().map(|set| set.int(&format!("status.{field}")).unwrap_or(0)).sum() };
    let total: i64 = sets.all().map(|set| wanted(set)).sum();
    let available = sum("availableReplicas");
    let updated = sets.new.as_ref().and_then(|set| set.int("status.replicas")).unwrap_or(0);
    let mut status = json!({"observedGeneration": deployment.int("metadata.generation").unwrap_or(0)});
    for (name, count) in [
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (total - available).max(0)),
    ] {
        if count > 0 {
            status[name] = json!(count);
        }
    }
    status["terminatingReplicas"] = json!(sum("terminatingReplicas"));
    if let Some(collisions) = deployment.at("status.collisionCount") {
        status["collisionCount"] = collisions.clone();
    }
    status
}

fn set_available(deployment: &Value, status: &Value, conditions: &mut Vec<Value>, now: Timestamp) {
    let minimum = desired(deployment) - bounds(deployment).1;
    if status.int("availableReplicas").unwrap_or(0) >= minimum {
        workload::set_condition(conditions, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now);
    } else {
        let message = "Deployment does not have minimum availability.";
        workload::set_condition(conditions, "Available", "False", "MinimumReplicasUnavailable", message, now);
    }
}

fn set_failure(sets: &Sets, conditions: &mut Vec<Value>, now: Timestamp) {
    match sets.all().find_map(|set| set.condition("ReplicaFailure").cloned()) {
        Some(failure) => {
            workload::set_condition(conditions, "ReplicaFailure", "True", failure.text("reason"), failure.text("message"), now);
        }
        None => conditions.retain(|condition| condition.text("type") != "ReplicaFailure"),
    }
}

fn set_progressing(deployment: &Value, sets: &Sets, status: &Value, conditions: &mut Vec<Value>, now: Timestamp) -> Option<Duration> {
    let deadline = deployment.int("spec.progressDeadlineSeconds")?;
    let deadline = Duration::from_secs(u64::try_from(deadline).unwrap_or(0));
    let name = sets.new.as_ref().map_or(deployment.name(), |set| set.name());
    let mut tell = |status: &str, reason: &str, message: String| {
        workload::set_condition(conditions, "Progressing", status, reason, &message, now);
    };
    if deployment.flag("spec.paused") {
        tell("Unknown", "DeploymentPaused", "Deployment is paused".to_owned());
        return None;
    }
    if is_complete(deployment, sets, status) {
        tell("True", "NewReplicaSetAvailable", format!("ReplicaSet \"{name}\" has successfully progressed."));
        return None;
    }
    let before = deployment.condition("Progressing");
    let reason = before.map_or("", |condition| condition.text("reason"));
    // A rollout that was complete stays so when its pods are lost later: that is told by their availability. Only other pods begin a new one.
    let counted = |field: &str| status.int(field).unwrap_or(0);
    if reason == "NewReplicaSetAvailable" && sets.new.is_some() && counted("replicas") == counted("updatedReplicas") {
        return None;
    }
    let is_new = sets.new.is_none() || deployment.int("status.observedGeneration") != deployment.int("metadata.generation");
    if has_progressed(deployment, status) || before.is_none() || (is_new && reason != "ReplicaSetUpdated") || reason == "DeploymentPaused" {
        tell("True", "ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing."));
        // The time of the last progress counts, also where the words stay the same.
        if let Some(condition) = conditions.iter_mut().find(|condition| condition.text("type") == "Progressing") {
            condition["lastUpdateTime"] = json!(now.rfc3339());
        }
        return Some(deadline + Duration::from_millis(100));
    }
    if reason == "ProgressDeadlineExceeded" {
        return None;
    }
    let since = before.and_then(|condition| condition.time("lastUpdateTime")).unwrap_or(now);
    if now.since(since) >= deadline {
        tell("False", "ProgressDeadlineExceeded", format!("ReplicaSet \"{name}\" has timed out progressing."));
        return None;
    }
    Some(deadline.saturating_sub(now.since(since)) + Duration::from_millis(100))
}

fn is_complete(deployment: &Value, sets: &Sets, status: &Value) -> bool {
    let desired = desired(deployment);
    let all = |field: &str| status.int(field).unwrap_or(0) == desired;
    sets.new.as_ref().is_some_and(|set| available(set) >= desired && wanted(set) == desired)
        && all("updatedReplicas")
        && all("replicas")
        && all("availableReplicas")
}

fn has_progressed(deployment: &Value, status: &Value) -> bool {
    let before = |field: &str| deployment.int(&format!("status.{field}")).unwrap_or(0);
    let after = |field: &str| status.int(field).unwrap_or(0);
    let old_pods = |count: &dyn Fn(&str) -> i64| count("replicas") - count("updatedReplicas");
    after("updatedReplicas") > before("updatedReplicas")
        || old_pods(&after) < old_pods(&before)
        || after("readyReplicas") > before("readyReplicas")
        || after("availableReplicas") > before("availableReplicas")
}
