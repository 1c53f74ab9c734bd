//! The cluster that an environment means.

use crate::context::Context;
use crate::engine_client;
use crate::project::Project;
use crate::workloads::problem;
use base::{Problem, ProblemKind};
use cluster::{Cluster, Selection};
use k8s::kinds::NODE;
use k8s::{Fields, Value};
use std::path::PathBuf;

/// Where an environment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The engine that Wharf carries.
    Engine,
    /// A context of a kubeconfig.
    Context {
        /// The files that kubectl would read, too.
        files: Vec<PathBuf>,
        /// The context's name.
        name: String,
    },
}

/// A cluster, and the project's namespace in it.
pub struct Target {
    /// The client.
    pub cluster: Cluster,
    /// Where the project's objects are that name no namespace.
    pub namespace: String,
    /// The host on which NodePorts answer.
    pub host: String,
}

impl Place {
    /// The place of the environment that was asked for.
    ///
    /// # Errors
    /// When there is no such environment, or it cannot be told where its kubeconfig is.
    pub fn of(context: &Context, project: &Project) -> Result<Self, Problem> {
        let environment = project.environment(context)?;
        let Some(name) = environment.context.clone() else { return Ok(Self::Engine) };
        let files = match &environment.kubeconfig {
            Some(file) => vec![project.folder.join(file)],
            None => crate::kubeconfig::files()?,
        };
        Ok(Self::Context { files, name })
    }

    /// Connects; the engine must run already.
    ///
    /// # Errors
    /// When it does not, or its credentials cannot be used.
    pub async fn connect(&self, context: &Context) -> Result<Cluster, Problem> {
        match self {
            Self::Engine => Cluster::connect(&engine_client::kubeconfig(context), Some("wharf")).await.map_err(problem),
            Self::Context { files, name } => Cluster::connect_merged(files, Some(name)).await.map_err(|error| {
                let problem = Problem::from(error);
                if problem.kind == ProblemKind::Usage { problem.hint("`kubectl config get-contexts` lists what there is") } else { problem }
            }),
        }
    }

    /// The host on which the NodePorts of its services answer from here.
    pub async fn host(&self, cluster: &Cluster) -> String {
        if *self == Self::Engine {
            return "127.0.0.1".to_owned();
        }
        // Who may not list nodes reaches the server at least, which often is one.
        let nodes = cluster.list(&NODE.into(), &Selection::default()).await.map(|list| list.items).unwrap_or_default();
        node_address(&nodes).unwrap_or_else(|| server_host(cluster.server()))
    }
}

/// The address of the first node that is ready: one for the outside before one for the inside.
fn node_address(nodes: &[Value]) -> Option<String> {
    let is_ready = |node: &&Value| {
        node.items("status.conditions").iter().any(|condition| condition.text("type") == "Ready" && condition.text("status") == "True")
    };
    let of = |kind: &str| {
        let mut addresses = nodes.iter().filter(is_ready).flat_map(|node| node.items("status.addresses"));
        addresses.find(|address| address.text("type") == kind).map(|address| address.text("address").to_owned())
    };
    of("ExternalIP").or_else(|| of("InternalIP"))
}

fn server_host(server: &str) -> String {
    let authority = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address.to_owned(),
        None => authority.split(':').next().unwrap_or_default().to_owned(),
    }
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
        let place = Place::of(context, project)?;
        if place == Place::Engine {
            engine_client::require(context)?;
        }
        let cluster = place.connect(context).await?;
        let host = place.host(&cluster).await;
        Ok(Self { cluster, namespace: project.name().to_owned(), host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn node_ports_answer_at_a_ready_node_and_outside_first() {
        let node =
            |ready: &str, addresses: Value| json!({"status": {"conditions": [{"type": "Ready", "status": ready}], "addresses": addresses}});
        let inside = |ip: &str| json!([{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": ip}]);
        let nodes = [node("False", inside("10.0.0.1")), node("True", inside("10.0.0.2"))];
        assert_eq!(node_address(&nodes).as_deref(), Some("10.0.0.2"));
        let outside = node("True", json!([{"type": "InternalIP", "address": "10.0.0.3"}, {"type": "ExternalIP", "address": "9.9.9.9"}]));
        assert_eq!(node_address(&[nodes[1].clone(), outside]).as_deref(), Some("9.9.9.9"));
        assert_eq!(node_address(&nodes[..1]), None);
        for (server, host) in
            [("https://10.1.2.3:6443", "10.1.2.3"), ("https://[fd00::1]:443/x", "fd00::1"), ("https://api.example.com", "api.example.com")]
        {
            assert_eq!(server_host(server), host);
        }
    }
}
