//! From `SERVICE/path` to an address, by the service as it stands.

use base::{Problem, ProblemKind};
use cluster::{Cluster, Resource};
use k8s::{Fields, Value, kinds};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, with its slash.
    pub path: String,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            80 => write!(f, "http://{}{}", self.host, self.path),
            port => write!(f, "http://{}:{port}{}", self.host, self.path),
        }
    }
}

/// Where a target is reached: a whole URL, or `SERVICE[:PORT]/path` of a service in the namespace. The inner error is a
/// sentence on why it cannot be reached yet.
///
/// # Errors
/// When the target is of no such form, or the cluster cannot be asked.
pub async fn endpoint(target: &str, cluster: &Cluster, namespace: &str, host: &str) -> Result<Result<Endpoint, String>, Problem> {
    if let Some(rest) = target.strip_prefix("http://") {
        return url(rest).map(Ok).ok_or_else(|| usage(format!("`{target}` is no URL")));
    }
    if target.starts_with("https://") {
        return Err(usage(format!("`{target}`: smoke checks speak http only for now")));
    }
    let (service, path) = target.split_once('/').map_or((target, String::from("/")), |(service, path)| (service, format!("/{path}")));
    let (name, port) = service.split_once(':').map_or((service, ""), |(name, port)| (name, port));
    let live = cluster.get(&Resource::from(kinds::SERVICE), namespace, name).await?;
    let Some(live) = live else { return Ok(Err(format!("there is no service `{name}` in namespace `{namespace}`"))) };
    Ok(of_service(&live, port, host, path))
}

fn usage(message: String) -> Problem {
    Problem::new(ProblemKind::Usage, message).hint("write `SERVICE/path` or `http://HOST:PORT/path`")
}

pub(super) fn url(rest: &str) -> Option<Endpoint> {
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, 80),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty() && !host.contains(['@', ' '])).then(|| Endpoint { host: host.to_owned(), port, path })
}

/// The address of a service's port, by its name or number, from outside the cluster.
pub(super) fn of_service(service: &Value, port: &str, host: &str, path: String) -> Result<Endpoint, String> {
    let name = service.name();
    let ports = service.items("spec.ports");
    let wanted = |entry: &&Value| {
        port.is_empty() || entry.text("name") == port || entry.int("port").is_some_and(|number| number.to_string() == port)
    };
    let Some(entry) = ports.iter().find(wanted) else { return Err(format!("the service `{name}` has no port `{port}`")) };
    match outside(service, entry, host) {
        Some((host, port)) => Ok(Endpoint { host, port, path }),
        None if is_balanced(service) => Err(format!("the service `{name}` has no address yet")),
        None => Err(format!("the service `{name}` is reached only inside the cluster; give it the type NodePort or LoadBalancer")),
    }
}

fn is_balanced(service: &Value) -> bool {
    service.text("spec.type") == "LoadBalancer"
}

/// The address that a load balancer gave to a service of that type: an IP address or a name.
pub fn balancer_address(service: &Value) -> Option<&str> {
    let ingress = service.items("status.loadBalancer.ingress").first().filter(|_| is_balanced(service))?;
    Some(if ingress.text("ip").is_empty() { ingress.text("hostname") } else { ingress.text("ip") }).filter(|address| !address.is_empty())
}

/// Host and port at which a port of a service answers outside the cluster: at its load balancer, and as long as that gave no
/// address, or where it is of the type NodePort, at a port of the node `host`.
pub fn outside(service: &Value, entry: &Value, host: &str) -> Option<(String, u16)> {
    let number = |path: &str| entry.int(path).and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0);
    match balancer_address(service) {
        Some(address) => Some((address.to_owned(), number("port").unwrap_or(80))),
        None => number("nodePort").map(|port| (host.to_owned(), port)),
    }
}
