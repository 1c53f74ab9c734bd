//! The pods of a rollout one by one, as people watch them go and come.

use super::trouble;
use crate::world::World;
use k8s::{Fields, Value};
use serde::Serialize;

/// A pod as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PodSeen {
    /// Whose it is, such as `Deployment jobs/app-a`.
    pub workload: String,
    /// Its name.
    pub name: String,
    /// Whether it is of the newest template; one of the release before otherwise.
    pub newest: bool,
    /// Its node; empty where it has none yet.
    pub node: String,
    /// Whether it is ready.
    pub ready: bool,
    /// In a word: `Running`, `Pending`, `Terminating`, or what a container waits for, such as `ImagePullBackOff`.
    pub state: String,
    /// How often its containers were started again.
    pub restarts: i64,
    /// When it was made, as the cluster writes it.
    pub since: String,
}

/// All pods of a workload, those of the newest template first.
pub(super) fn of(workload: &Value, named: &str, world: &World) -> Vec<PodSeen> {
    let newest: Vec<&str> = trouble::newest_pods(workload, world).into_iter().map(Fields::uid).collect();
    let sets = world.owned_by("ReplicaSet", workload).collect::<Vec<_>>();
    let own = (workload.text("kind") == "Pod").then_some(workload);
    let pods = sets.into_iter().chain([workload]).flat_map(|owner| world.owned_by("Pod", owner)).chain(own);
    let mut seen: Vec<PodSeen> = pods.map(|pod| one(pod, named, newest.contains(&pod.uid()))).collect();
    seen.sort_by(|a, b| (b.newest, &a.since, &a.name).cmp(&(a.newest, &b.since, &b.name)));
    seen
}

fn one(pod: &Value, workload: &str, newest: bool) -> PodSeen {
    let containers = pod.items("status.containerStatuses");
    let waiting = pod.items("status.initContainerStatuses").iter().chain(containers).map(|status| status.text("state.waiting.reason"));
    let waits = waiting.into_iter().find(|reason| !reason.is_empty() && *reason != "PodInitializing");
    let phase = pod.text("status.phase");
    let ready = pod.items("status.conditions").iter().any(|it| it.text("type") == "Ready" && it.text("status") == "True");
    PodSeen {
        workload: workload.to_owned(),
        name: pod.name().to_owned(),
        newest,
        node: pod.text("spec.nodeName").to_owned(),
        ready,
        state: if pod.is_terminating() { "Terminating" } else { waits.unwrap_or(phase) }.to_owned(),
        restarts: containers.iter().filter_map(|status| status.int("restartCount")).sum(),
        since: pod.text("metadata.creationTimestamp").to_owned(),
    }
}
