//! In which order objects are applied; they are removed in the reverse one.

use k8s::{Fields, Value};

/// The groups: what stands in one may be applied at the same time.
const GROUPS: &[&[&str]] = &[
    &["Namespace", "CustomResourceDefinition"],
    &["ResourceQuota", "LimitRange", "PriorityClass"],
    &["ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"],
    &["ConfigMap", "Secret"],
    &["StorageClass", "PersistentVolume", "PersistentVolumeClaim"],
    // Policies stand before the pods that they guard.
    &["Service", "NetworkPolicy"],
    &["Pod", "ReplicaSet", "ReplicationController", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"],
    &["PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress"],
];

/// The group of a kind, from 0; kinds that are not known come after all others.
pub fn group_of(kind: &str) -> usize {
    GROUPS.iter().position(|kinds| kinds.contains(&kind)).unwrap_or(GROUPS.len())
}

/// Whether an object runs pods that a rollout waits for.
pub fn is_workload(object: &Value) -> bool {
    matches!(object.text("kind"), "Pod" | "ReplicaSet" | "Deployment" | "StatefulSet" | "DaemonSet" | "Job")
}

/// Whether an object holds data that only `--volumes` removes.
pub fn holds_data(kind: &str) -> bool {
    matches!(kind, "PersistentVolumeClaim" | "PersistentVolume")
}

/// Things in groups, each group in the given order.
pub fn grouped<T>(things: Vec<T>, kind: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    groups.resize_with(GROUPS.len() + 1, Vec::new);
    for thing in things {
        let at = group_of(kind(&thing));
        if let Some(group) = groups.get_mut(at) {
            group.push(thing);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foundations_come_first() {
        let kinds = vec!["Deployment", "Widget", "Secret", "Namespace", "ConfigMap", "Role"];
        let groups = grouped(kinds, |kind| kind);
        assert_eq!(groups, [vec!["Namespace"], vec!["Role"], vec!["Secret", "ConfigMap"], vec!["Deployment"], vec!["Widget"]]);
    }
}
