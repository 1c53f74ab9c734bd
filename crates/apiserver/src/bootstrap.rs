//! The objects that are always there.

mod roles;

use crate::core::Core;
use crate::handler::{Call, Given};
use crate::request::Target;
use crate::user::{MASTERS, User};
use k8s::kinds::{ENDPOINT_SLICE, ENDPOINTS, NAMESPACE, PRIORITY_CLASS, SERVICE, SERVICE_ACCOUNT, STORAGE_CLASS};
use k8s::{ApiError, Fields, Kind, Value};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

/// The first address of the service network: the API server's own.
pub const API_ADDRESS: &str = "10.43.0.1";
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Makes what is missing, all at once; what is there stays as it is, but for the address of the API server itself.
///
/// # Errors
/// The object that cannot be made, and why.
pub async fn make(core: &Arc<Core>, port: u16, addresses: &[IpAddr]) -> Result<(), (String, ApiError)> {
    for name in NAMESPACES {
        let namespace = json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}});
        ensure(core, NAMESPACE, namespace, false).await?;
    }
    let mut wanted: Vec<(&'static Kind, Value, bool)> = roles::all();
    for name in NAMESPACES {
        wanted.push((SERVICE_ACCOUNT, json!({"metadata": {"name": "default", "namespace": name}}), false));
    }
    wanted.push((SERVICE, service(), false));
    wanted.push((ENDPOINT_SLICE, slice(port, addresses), true));
    wanted.push((ENDPOINTS, endpoints(port, addresses), true));
    wanted.push((STORAGE_CLASS, class(), false));
    for (name, value, about) in [
        ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
        (
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
    ] {
        wanted.push((PRIORITY_CLASS, json!({"metadata": {"name": name}, "value": value, "description": about}), false));
    }
    // Together, so that the journal syncs once for many.
    let making = wanted.into_iter().map(|(kind, object, renew)| ensure(core, kind, object, renew));
    futures::future::try_join_all(making).await.map(drop)
}

async fn ensure(core: &Arc<Core>, kind: &'static Kind, object: Value, renew: bool) -> Result<(), (String, ApiError)> {
    let user = User::new("system:apiserver", &[MASTERS]);
    let target = Target::object(kind, object.namespace(), object.name());
    let what = format!("{} {}", kind.kind, object.name());
    let existing = core.objects.get(kind, object.namespace(), object.name());
    let mut call = Call::new(core, &user, target);
    call.options.manager = "wharf".to_owned();
    let made = match existing {
        None => call.create(Given::Value(object)).await.map(drop),
        Some(_) if renew => call.update(Given::Value(object)).await.map(drop),
        Some(_) => Ok(()),
    };
    made.map_err(|error| (what, error))
}

fn service() -> Value {
    json!({"metadata": {"name": "kubernetes", "namespace": "default", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": API_ADDRESS, "clusterIPs": [API_ADDRESS], "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]}})
}

// Pods reach the server at an address of the node; without one the service leads nowhere, which is told by its emptiness.
fn reached(addresses: &[IpAddr]) -> Option<String> {
    addresses.iter().find(|address| address.is_ipv4() && !address.is_loopback()).map(ToString::to_string)
}

fn endpoints(port: u16, addresses: &[IpAddr]) -> Value {
    let subset = |address: String| json!({"addresses": [{"ip": address}], "ports": [{"name": "https", "protocol": "TCP", "port": port}]});
    let subsets: Vec<Value> = reached(addresses).into_iter().map(subset).collect();
    json!({"metadata": {"name": "kubernetes", "namespace": "default", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": subsets})
}

fn slice(port: u16, addresses: &[IpAddr]) -> Value {
    let endpoint = |address: String| json!({"addresses": [address], "conditions": {"ready": true}});
    let endpoints: Vec<Value> = reached(addresses).into_iter().map(endpoint).collect();
    json!({"metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "https", "protocol": "TCP", "port": port}]})
}

fn class() -> Value {
    json!({"metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "wharf.local/volumes", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer"})
}
