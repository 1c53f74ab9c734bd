//! The cluster that an environment means.

use crate::context::Context;
use crate::engine_client;
use crate::workloads::problem;
use base::{Problem, ProblemKind};
use cluster::Cluster;

/// A cluster, and the project's namespace in it.
pub struct Target {
    /// The client.
    pub cluster: Cluster,
    /// Where the project's objects are that name no namespace.
    pub namespace: String,
}

impl Target {
    /// The cluster of the environment, which must be there already.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn existing(context: &Context) -> Result<Self, Problem> {
        if context.globals.env != "local" {
            return Err(Problem::new(
                ProblemKind::Usage,
                format!("the environment `{}` is a cluster of its own, which is not supported yet", context.globals.env),
            )
            .hint("use `--env local`"));
        }
        engine_client::require(context)?;
        let cluster = Cluster::connect(&engine_client::kubeconfig(context), Some("wharf")).await.map_err(problem)?;
        Ok(Self { cluster, namespace: "default".to_owned() })
    }
}
