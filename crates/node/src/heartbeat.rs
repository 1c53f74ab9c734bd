//! The Node object and its Lease: made at the start, renewed every ten seconds, the status written only when it changed or is old.

#[cfg(test)]
mod tests;

use crate::config::NodeConfig;
use crate::machine::{self, Machine};
use crate::manager::Shared;
use base::Timestamp;
use k8s::kinds::{LEASE, NODE};
use k8s::{Fields, Value, quantity};
use serde_json::json;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Of the Lease. Source: kubelet `nodeLeaseDurationSeconds` (40) and a quarter of it.
const RENEW: Duration = Duration::from_secs(10);
const LEASE_SECONDS: u64 = 40;
/// A status without changes is written so often. Source: kubelet `nodeStatusReportFrequency`.
const REPORT: Duration = Duration::from_secs(300);
/// Namespace of the Leases of nodes; whoever serves the API makes it.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The Node object with its status.
pub fn node_object(config: &NodeConfig, machine: &Machine, old: Option<&Value>, now: Timestamp) -> Value {
    let mut labels = json!({
        "kubernetes.io/hostname": config.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": machine.architecture,
    });
    for (name, value) in &config.labels {
        labels[name.as_str()] = json!(value);
    }
    let mut node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": config.name, "labels": labels}, "spec": {}});
    node["status"] = status(config, machine, old, now);
    node
}

fn status(config: &NodeConfig, machine: &Machine, old: Option<&Value>, now: Timestamp) -> Value {
    let amounts = |memory: u64| {
        json!({
            "cpu": quantity::show_milli(config.capacity.cpu_milli.into()), "memory": format!("{}Ki", memory >> 10),
            "ephemeral-storage": format!("{}Ki", config.capacity.disk_bytes >> 10), "pods": config.capacity.pods.to_string(),
            "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        })
    };
    json!({
        "capacity": amounts(config.capacity.memory_bytes),
        "allocatable": amounts(config.capacity.allocatable_memory()),
        "conditions": conditions(config, old, now),
        "addresses": [{"type": "InternalIP", "address": config.address.to_string()}, {"type": "Hostname", "address": config.name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": machine.machine_id, "systemUUID": machine.machine_id, "bootID": machine.boot_id,
            "kernelVersion": machine.kernel, "osImage": machine.os_image, "containerRuntimeVersion": "wharf://0.1.0",
            "kubeletVersion": config.version, "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": machine.architecture,
        },
    })
}

fn conditions(config: &NodeConfig, old: Option<&Value>, now: Timestamp) -> Value {
    // Less than a twentieth of the disk left.
    let full = machine::disk(&config.home).is_some_and(|(total, left)| left < total / 20);
    let disk = if full {
        ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure")
    } else {
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")
    };
    let all = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        disk,
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    let condition = |(kind, status, reason, message): (&str, &str, &str, &str)| {
        let before = old.and_then(|old| old.condition(kind)).filter(|before| before.text("status") == status);
        let since = before.map(|before| before.text("lastTransitionTime").to_owned()).unwrap_or_else(|| now.rfc3339());
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now.rfc3339(), "lastTransitionTime": since})
    };
    all.into_iter().map(condition).collect()
}

/// Makes the Node object what it should be, and keeps it so for as long as the node lives.
pub(crate) async fn start(shared: &Arc<Shared>) {
    let mut beat = Beat { machine: Machine::read(), reported: None };
    beat.once(shared).await;
    let weak = Arc::downgrade(shared);
    tokio::spawn(beat.run(weak));
}

struct Beat {
    machine: Machine,
    /// When the status was last written, and its conditions then, as (type, status).
    reported: Option<(Timestamp, Vec<(String, String)>)>,
}

impl Beat {
    async fn run(mut self, shared: Weak<Shared>) {
        loop {
            tokio::time::sleep(RENEW).await;
            let Some(shared) = shared.upgrade() else { return };
            self.once(&shared).await;
        }
    }

    async fn once(&mut self, shared: &Shared) {
        let now = shared.parts.clock.now();
        let old = shared.parts.cluster.get(NODE, "", &shared.config.name);
        let node = node_object(&shared.config, &self.machine, old.as_deref(), now);
        let shape: Vec<(String, String)> = node
            .items("status.conditions")
            .iter()
            .map(|condition| (condition.text("type").to_owned(), condition.text("status").to_owned()))
            .collect();
        let current = self.reported.as_ref().is_some_and(|(at, told)| now.since(*at) < REPORT && *told == shape);
        if (old.is_none() || !current) && self.report(shared, node, old.as_deref()).await {
            self.reported = Some((now, shape));
        }
        renew(shared, now).await;
    }

    /// Labels and status; what others wrote stays.
    async fn report(&self, shared: &Shared, node: Value, old: Option<&Value>) -> bool {
        let cluster = &shared.parts.cluster;
        let stored = match old {
            None => cluster.create(NODE, &node).await.map(|stored| (*stored).clone()),
            Some(old) => {
                let mut wanted = old.clone();
                for (name, value) in node.texts("metadata.labels") {
                    wanted.at_mut("metadata.labels")[name] = json!(value);
                }
                if wanted == *old { Ok(wanted) } else { cluster.update(NODE, &wanted).await.map(|stored| (*stored).clone()) }
            }
        };
        let Ok(mut stored) = stored else { return false };
        let mut status = node["status"].clone();
        // Conditions and other members that are not the node's own.
        for (name, value) in stored.at("status").and_then(Value::as_object).into_iter().flatten() {
            if status.get(name).is_none() {
                status[name.as_str()] = value.clone();
            }
        }
        stored["status"] = status;
        stored.unset("metadata.resourceVersion");
        cluster.update_status(NODE, &stored).await.is_ok()
    }
}

async fn renew(shared: &Shared, now: Timestamp) {
    let (cluster, name) = (&shared.parts.cluster, shared.config.name.as_str());
    let old = cluster.get(LEASE, LEASE_NAMESPACE, name);
    let mut lease = old.as_deref().cloned().unwrap_or_else(|| {
        let mut lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"namespace": LEASE_NAMESPACE, "name": name}});
        if let Some(node) = cluster.get(NODE, "", name) {
            lease["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node.uid()}]);
        }
        lease
    });
    lease.set("spec.holderIdentity", name);
    lease.set("spec.leaseDurationSeconds", LEASE_SECONDS);
    lease.set("spec.renewTime", now.rfc3339_micros());
    lease.unset("metadata.resourceVersion");
    // A beat that fails is made good by the next: the lease lasts for four.
    let _ = match old {
        Some(_) => cluster.update(LEASE, &lease).await,
        None => cluster.create(LEASE, &lease).await,
    };
}
