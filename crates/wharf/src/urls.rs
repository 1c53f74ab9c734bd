//! The addresses at which a project's services answer from outside.

use crate::workloads::problem;
use base::Problem;
use cluster::{Cluster, Selection};
use delivery::smoke::{balancer_address, outside};
use k8s::kinds::SERVICE;
use k8s::{Fields, Value};

/// A service with an address.
pub struct Url {
    /// Its name.
    pub service: String,
    /// Where it answers.
    pub url: String,
    /// Whether it has no address of its own though it asks for one, so that a port of the node stands for it.
    pub pending: bool,
}

impl Url {
    /// What should be known of it, to stand behind it.
    pub fn remark(&self) -> &'static str {
        if self.pending { "  (a node's port: no load balancer gave it an address)" } else { "" }
    }
}

/// All of a namespace, by the services' names and ports; NodePorts answer on `host`.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn of(cluster: &Cluster, namespace: &str, host: &str) -> Result<Vec<Url>, Problem> {
    let services = cluster.list(&SERVICE.into(), &Selection::namespace(namespace)).await.map_err(problem)?;
    let mut urls = Vec::new();
    for service in &services.items {
        let pending = service.text("spec.type") == "LoadBalancer" && balancer_address(service).is_none();
        for port in service.items("spec.ports") {
            urls.extend(url(service, port, host).map(|url| Url { service: service.name().to_owned(), url, pending }));
        }
    }
    Ok(urls)
}

fn url(service: &Value, port: &Value, host: &str) -> Option<String> {
    let is_secure = matches!(port.text("name"), "https" | "tls") || port.int("port") == Some(443);
    let (scheme, usual) = if is_secure { ("https", 443) } else { ("http", 80) };
    let (host, number) = outside(service, port, host)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(if number == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{number}") })
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
            (&service("LoadBalancer", "fd00::1"), json!({"port": 8080}), Some("http://[fd00::1]:8080")),
            (&json!({"spec": {"type": "LoadBalancer"}}), json!({"port": 80, "nodePort": 32000}), Some("http://10.1.2.3:32000")),
            (&service("NodePort", "127.64.0.1"), json!({"name": "https", "port": 1, "nodePort": 32000}), Some("https://10.1.2.3:32000")),
            (&json!({"spec": {"type": "ClusterIP"}}), json!({"port": 80}), None),
        ] {
            assert_eq!(url(service, &port, "10.1.2.3").as_deref(), wanted, "{port}");
        }
    }
}
