//! The addresses at which a project's services answer from outside.

use crate::workloads::problem;
use base::Problem;
use cluster::{Cluster, Selection};
use k8s::Fields;
use k8s::kinds::SERVICE;

/// A service with an address.
pub struct Url {
    /// Its name.
    pub service: String,
    /// Where it answers.
    pub url: String,
}

/// All of a namespace, by the services' names and ports.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn of(cluster: &Cluster, namespace: &str) -> Result<Vec<Url>, Problem> {
    let services = cluster.list(&SERVICE.into(), &Selection::namespace(namespace)).await.map_err(problem)?;
    let mut urls = Vec::new();
    for service in &services.items {
        for port in service.items("spec.ports") {
            if let Some(number) = port.int("nodePort").filter(|number| *number > 0) {
                let scheme = if matches!(port.text("name"), "https" | "tls") || port.int("port") == Some(443) { "https" } else { "http" };
                urls.push(Url { service: service.name().to_owned(), url: format!("{scheme}://127.0.0.1:{number}") });
            }
        }
    }
    Ok(urls)
}
