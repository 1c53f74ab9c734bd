//! From `[scheme:]name[:port]` to an address: a pod's own, or that of a ready pod behind a service.

use crate::core::Core;
use k8s::kinds::{ENDPOINT_SLICE, POD, SERVICE};
use k8s::{ApiError, Fields, Kind, Value};
use std::net::{IpAddr, SocketAddr};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    pub(super) tls: bool,
}

impl Place {
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }
}

/// A name in a path, read.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    tls: bool,
    name: &'a str,
    port: &'a str,
}

impl<'a> Asked<'a> {
    /// Source: apimachinery `pkg/util/net` SplitSchemeNamePort.
    fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts.as_slice() {
            [name] => ("", *name, ""),
            [name, port] => ("", *name, *port),
            [scheme, name, port] => (*scheme, *name, *port),
            _ => return None,
        };
        (matches!(scheme, "" | "http" | "https") && !name.is_empty()).then_some(Self { tls: scheme == "https", name, port })
    }
}

/// Finds the place.
///
/// # Errors
/// 400 for a name that cannot be read or an address that is no pod's, 404, and 503 when no pod is ready.
pub(super) fn find(core: &Core, resource: &str, namespace: &str, id: &str) -> Result<Place, ApiError> {
    let singular = if resource == "pods" { "pod" } else { "service" };
    let asked = Asked::parse(id).ok_or_else(|| ApiError::bad_request(format!("invalid {singular} request {id:?}")))?;
    let address = if resource == "pods" { pod(core, namespace, &asked)? } else { service(core, namespace, &asked, id)? };
    Ok(Place { address, tls: asked.tls })
}

fn stored(core: &Core, kind: &'static Kind, namespace: &str, name: &str) -> Result<std::sync::Arc<Value>, ApiError> {
    core.objects.get(kind, namespace, name).map(|stored| stored.value).ok_or_else(|| ApiError::not_found(kind, name))
}

fn pod(core: &Core, namespace: &str, asked: &Asked<'_>) -> Result<SocketAddr, ApiError> {
    let pod = stored(core, POD, namespace, asked.name)?;
    let first = || pod.items("spec.containers").iter().find_map(|container| container.items("ports").first()?.int("containerPort"));
    let port = match asked.port {
        "" => first().unwrap_or(if asked.tls { 443 } else { 80 }),
        text => text.parse().map_err(|_| ApiError::bad_request(format!("invalid port {text:?}")))?,
    };
    let address = pod.text("status.podIP").parse::<IpAddr>().ok().filter(is_reachable);
    let address = address.ok_or_else(|| ApiError::bad_request("address not allowed"))?;
    Ok(SocketAddr::new(address, port_number(port)?))
}

/// A pod's status can be written by others than the node; none of them shall reach what listens on the host alone.
fn is_reachable(address: &IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

fn port_number(port: i64) -> Result<u16, ApiError> {
    u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| ApiError::bad_request(format!("invalid port {port}")))
}

fn service(core: &Core, namespace: &str, asked: &Asked<'_>, id: &str) -> Result<SocketAddr, ApiError> {
    let service = stored(core, SERVICE, namespace, asked.name)?;
    let unavailable = |why: String| ApiError::new(503, "ServiceUnavailable", why);
    let mut name = asked.port.to_owned();
    if let Ok(number) = asked.port.parse::<i64>() {
        let found = service.items("spec.ports").iter().find(|port| port.int("port") == Some(number));
        let found = found.ok_or_else(|| unavailable(format!("no service port {number} found for service {:?}", asked.name)))?;
        found.text("name").clone_into(&mut name);
    }
    let mut candidates = Vec::new();
    for slice in core.objects.list(ENDPOINT_SLICE, namespace) {
        if slice.at("metadata.labels").and_then(|labels| labels.member("kubernetes.io/service-name")?.as_str()) != Some(asked.name) {
            continue;
        }
        let Some(port) = slice.items("ports").iter().find(|port| port.text("name") == name).and_then(|port| port.int("port")) else {
            continue;
        };
        let ready = slice.items("endpoints").iter().filter(|endpoint| endpoint.flag("conditions.ready"));
        candidates.extend(ready.filter_map(|endpoint| pod_address(core, namespace, endpoint)).map(|address| (address, port)));
    }
    let seed = usize::from(u16::from_le_bytes(base::ids::random()));
    let chosen = candidates.get(seed % candidates.len().max(1));
    let (address, port) = chosen.ok_or_else(|| unavailable(format!("no endpoints available for service {id:?}")))?;
    Ok(SocketAddr::new(*address, port_number(*port)?))
}

/// An endpoint's address, if it is that of the pod which it names.
fn pod_address(core: &Core, namespace: &str, endpoint: &Value) -> Option<IpAddr> {
    if endpoint.text("targetRef.kind") != "Pod" {
        return None;
    }
    let pod = core.objects.get(POD, namespace, endpoint.text("targetRef.name"))?.value;
    let address = endpoint.items("addresses").first()?.as_str()?;
    let own = pod.text("status.podIP") == address || pod.items("status.podIPs").iter().any(|ip| ip.text("ip") == address);
    address.parse().ok().filter(|address| own && is_reachable(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let parse = |text| Asked::parse(text).map(|asked| (asked.tls, asked.name, asked.port));
        assert_eq!(parse("a"), Some((false, "a", "")));
        assert_eq!(parse("a:80"), Some((false, "a", "80")));
        assert_eq!(parse("https:a:web"), Some((true, "a", "web")));
        assert_eq!(parse("https:a:"), Some((true, "a", "")));
        for wrong in ["", "ftp:a:1", "a:b:c:d", "http::80"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_hosts_own_addresses_are_refused() {
        let reachable = |text: &str| is_reachable(&text.parse().expect("an address"));
        for own in ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "::ffff:127.0.0.1"] {
            assert!(!reachable(own), "{own}");
        }
        assert!(reachable("10.42.0.7") && reachable("2001:db8::1"));
    }
}
