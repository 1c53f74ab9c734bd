//! Verdicts.

use super::*;
use serde_json::json;

fn deployment(status: Value) -> Value {
    json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2, "progressDeadlineSeconds": 20}, "status": status})
}

fn conditions(reason: &str, available: &str) -> Value {
    json!([{"type": "Progressing", "status": "True", "reason": reason}, {"type": "Available", "status": available}])
}

#[test]
fn deployments() {
    use State::{Current, Failed, InProgress};
    let done = |observed: i64, all: i64, updated: i64, ready: i64, reason: &str, available: &str| {
        deployment(
            json!({"observedGeneration": observed, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready,
            "conditions": conditions(reason, available)}),
        )
    };
    for (object, state) in [
        (deployment(json!({})), InProgress),
        (done(1, 2, 2, 2, "NewReplicaSetAvailable", "True"), InProgress),
        (done(2, 3, 1, 2, "ReplicaSetUpdated", "True"), InProgress),
        (done(2, 3, 2, 2, "ReplicaSetUpdated", "True"), InProgress),
        (done(2, 2, 2, 1, "ReplicaSetUpdated", "True"), InProgress),
        (done(2, 2, 2, 2, "ReplicaSetUpdated", "True"), InProgress),
        (done(2, 2, 2, 2, "NewReplicaSetAvailable", "False"), InProgress),
        (done(2, 2, 2, 2, "NewReplicaSetAvailable", "True"), Current),
        (done(2, 2, 2, 1, "ProgressDeadlineExceeded", "True"), Failed),
    ] {
        assert_eq!(verdict(&object).state, state, "{object}");
    }
}

#[test]
fn others() {
    use State::{Current, Failed, InProgress, Terminating};
    for (object, state) in [
        (json!({"kind": "ConfigMap", "metadata": {"deletionTimestamp": "x"}}), Terminating),
        (json!({"kind": "ConfigMap"}), Current),
        (json!({"kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}}), InProgress),
        (json!({"kind": "PersistentVolumeClaim", "status": {"phase": "Bound"}}), Current),
        (json!({"kind": "Pod", "status": {"phase": "Failed"}}), Failed),
        (json!({"kind": "Pod", "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}), Current),
        (json!({"kind": "Service", "spec": {"type": "LoadBalancer"}}), InProgress),
        (json!({"kind": "Service", "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}), Current),
        (json!({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}}), Failed),
        (json!({"kind": "ReplicaSet", "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}), Current),
        (json!({"kind": "DaemonSet", "status": {"observedGeneration": 1, "desiredNumberScheduled": 1}}), InProgress),
        (
            json!({"kind": "StatefulSet", "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}),
            InProgress,
        ),
        (json!({"kind": "Widget", "status": {"conditions": [{"type": "Ready", "status": "False"}]}}), InProgress),
    ] {
        assert_eq!(verdict(&object).state, state, "{object}");
    }
}
