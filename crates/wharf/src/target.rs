//! The cluster that an environment means.

use crate::context::Context;
use crate::engine_client;
use crate::project::Project;
use crate::workloads::problem;
use base::Problem;
use cluster::Cluster;

/// A cluster, and the project's namespace in it.
pub struct Target {
    /// The client.
    pub cluster: Cluster,
    /// Where the project's objects are that name no namespace.
    pub namespace: String,
}

impl Target {
    /// The cluster of the environment, which must be there already, for the project of the current folder.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn existing(context: &Context) -> Result<Self, Problem> {
        Self::of(context, &Project::load(context, None)?).await
    }

    /// The same for a project that is read already.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn of(context: &Context, project: &Project) -> Result<Self, Problem> {
        engine_client::require(context)?;
        let cluster = Cluster::connect(&engine_client::kubeconfig(context), Some("wharf")).await.map_err(problem)?;
        Ok(Self { cluster, namespace: project.name().to_owned() })
    }
}
