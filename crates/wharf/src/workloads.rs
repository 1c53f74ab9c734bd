//! Workloads by the names that people use: `app-a`, `deployment/app-a`, `pod/app-a-x`.

use base::{Problem, ProblemKind};
use cluster::{Cluster, Resource, Selection};
use k8s::kinds::{DEPLOYMENT, POD, REPLICA_SET};
use k8s::labels::Selector;
use k8s::{Fields, Kind, Value};

/// A failure of the cluster's as the user is told it.
pub fn problem(error: cluster::Error) -> Problem {
    let kind = match &error {
        cluster::Error::Config(_) => ProblemKind::Usage,
        cluster::Error::Unreachable { .. } => ProblemKind::Unreachable,
        _ => ProblemKind::Target,
    };
    let problem = Problem::new(kind, error.to_string());
    if kind == ProblemKind::Unreachable {
        problem.hint("`wharf engine status` says whether the engine runs; `wharf up` starts it")
    } else {
        problem
    }
}

/// The pods of a workload, the oldest first.
///
/// # Errors
/// When there is no such workload, with the names of those that there are.
pub async fn pods(cluster: &Cluster, namespace: &str, workload: &str) -> Result<Vec<Value>, Problem> {
    let (kind, name) = workload.split_once('/').unwrap_or(("", workload));
    if matches!(kind, "pod" | "pods" | "po") {
        let pod = cluster.get(&POD.into(), namespace, name).await.map_err(problem)?;
        return pod.map(|pod| vec![pod]).ok_or_else(|| unknown(workload, namespace, &[]));
    }
    let kinds: &[&'static Kind] = match kind {
        "" | "deployment" | "deployments" | "deploy" => &[DEPLOYMENT],
        "replicaset" | "replicasets" | "rs" => &[REPLICA_SET],
        other => {
            return Err(Problem::new(ProblemKind::Usage, format!("`{other}` is no kind of workload"))
                .hint("use deployment/NAME, replicaset/NAME or pod/NAME"));
        }
    };
    for kind in kinds.iter().copied() {
        if let Some(found) = cluster.get(&kind.into(), namespace, name).await.map_err(problem)? {
            return selected(cluster, namespace, &found).await;
        }
    }
    let known = cluster.list(&Resource::from(DEPLOYMENT), &Selection::namespace(namespace)).await.map_err(problem)?;
    let names: Vec<String> = known.items.iter().map(|workload| workload.name().to_owned()).collect();
    Err(unknown(workload, namespace, &names))
}

async fn selected(cluster: &Cluster, namespace: &str, workload: &Value) -> Result<Vec<Value>, Problem> {
    let selector = Selector::from_object(workload.at("spec.selector")).unwrap_or_default();
    let mut pods = cluster.list(&Resource::from(POD), &Selection::namespace(namespace)).await.map_err(problem)?.items;
    pods.retain(|pod| selector.matches(pod));
    pods.sort_by(|a, b| (a.text("metadata.creationTimestamp"), a.name()).cmp(&(b.text("metadata.creationTimestamp"), b.name())));
    Ok(pods)
}

fn unknown(workload: &str, namespace: &str, known: &[String]) -> Problem {
    let problem = Problem::new(ProblemKind::Target, format!("there is no workload `{workload}` in namespace {namespace}"));
    if known.is_empty() {
        problem.hint("`wharf status` shows what there is")
    } else {
        problem.hint(format!("there are: {}", known.join(", ")))
    }
}
