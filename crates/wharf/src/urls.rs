//! The addresses at which a project's services answer from outside.

use crate::workloads::problem;
use base::Problem;
use cluster::{Cluster, Selection};
use k8s::kinds::SERVICE;
use k8s::{Fields, Value};

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
            urls.extend(url(service, port).map(|url| Url { service: service.name().to_owned(), url }));
        }
    }
    Ok(urls)
}

/// Where a port of a service answers: at its load balancer's address, or else at a port of this machine.
fn url(service: &Value, port: &Value) -> Option<String> {
    let is_secure = matches!(port.text("name"), "https" | "tls") || port.int("port") == Some(443);
    let (scheme, usual) = if is_secure { ("https", 443) } else { ("http", 80) };
    let balancer = service.items("status.loadBalancer.ingress").first();
    let balancer = balancer.map(|entry| if entry.text("ip").is_empty() { entry.text("hostname") } else { entry.text("ip") });
    match balancer.filter(|host| !host.is_empty() && service.text("spec.type") == "LoadBalancer") {
        Some(host) if port.int("port") == Some(usual) => Some(format!("{scheme}://{host}")),
        Some(host) => Some(format!("{scheme}://{host}:{}", port.int("port")?)),
        None => port.int("nodePort").filter(|number| *number > 0).map(|number| format!("{scheme}://127.0.0.1:{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_of_its_own_goes_before_a_port_of_the_machine() {
        let service = |kind: &str, ip: &str| json!({"spec": {"type": kind}, "status": {"loadBalancer": {"ingress": [{"ip": ip}]}}});
        let balanced = service("LoadBalancer", "127.64.0.1");
        for (service, port, wanted) in [
            (&balanced, json!({"port": 80, "nodePort": 32000}), Some("http://127.64.0.1")),
            (&balanced, json!({"port": 443}), Some("https://127.64.0.1")),
            (&balanced, json!({"port": 8080, "nodePort": 32000}), Some("http://127.64.0.1:8080")),
            (&json!({"spec": {"type": "LoadBalancer"}}), json!({"port": 80, "nodePort": 32000}), Some("http://127.0.0.1:32000")),
            (&service("NodePort", "127.64.0.1"), json!({"name": "https", "port": 1, "nodePort": 32000}), Some("https://127.0.0.1:32000")),
            (&json!({"spec": {"type": "ClusterIP"}}), json!({"port": 80}), None),
        ] {
            assert_eq!(url(service, &port).as_deref(), wanted, "{port}");
        }
    }
}
