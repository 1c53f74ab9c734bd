//! Gives a running container and its pod other limits.

use crate::config::NodeConfig;
use crate::container::resources;
use crate::pod::Pod;
use crate::step::ResizeFault;
use k8s::Value;
use runtime::Runtime;

pub(super) async fn carry_out(runtime: &dyn Runtime, node: &NodeConfig, pod: &Pod, name: &str, raw: &Value) -> Result<(), ResizeFault> {
    let fault = |error: runtime::RuntimeError| ResizeFault::Error(error.to_string());
    let (whole, own) = (resources::of_pod(pod, node), resources::of_container(pod, raw, node));
    fits(&whole, pod, node)?;
    let usage = runtime.usage(&pod.uid, name).await.map_err(fault)?;
    if let Some(bytes) = own.memory_bytes.filter(|bytes| *bytes < usage.memory_bytes) {
        // The kernel would end a process of it instead.
        let why = format!("attempting to set container memory limit ({bytes}) below current usage ({})", usage.memory_bytes);
        return Err(ResizeFault::Error(why));
    }
    // A container never has more than its pod (v1 refuses it): when there is to be more the pod goes first, when less, last.
    let _ = runtime.update_pod(&pod.uid, &whole).await;
    runtime.update(&pod.uid, name, &own).await.map_err(fault)?;
    runtime.update_pod(&pod.uid, &whole).await.map_err(fault)
}

/// Whether the node could give it if nothing else ran. Source: kubelet `canResizePod`.
fn fits(whole: &runtime::Resources, pod: &Pod, node: &NodeConfig) -> Result<(), ResizeFault> {
    let asked = [
        ("cpu", whole.cpu_request_milli, node.capacity.cpu_milli),
        ("memory", resources::requested_memory(pod), node.capacity.memory_bytes),
    ];
    for (name, requested, capacity) in asked {
        if let Some(requested) = requested.filter(|requested| *requested > capacity) {
            let why = format!("Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}");
            return Err(ResizeFault::Infeasible(why));
        }
    }
    Ok(())
}
