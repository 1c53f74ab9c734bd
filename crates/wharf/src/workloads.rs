//! Workloads by the names that people use: `app-a`, `deployment/app-a`, `pod/app-a-x`.

use crate::lineage::Lineage;
use base::{Problem, ProblemKind};
use cluster::Cluster;
use k8s::Value;

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
    Ok(Lineage::of(cluster, namespace, workload).await?.pods)
}
