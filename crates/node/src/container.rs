//! From a pod's container to what the runtime starts: root, process, environment, mounts, privileges, limits.

pub mod dns;
pub mod env;
pub mod expand;
pub mod hosts;
pub mod mounts;
pub mod refs;
pub mod resources;
pub mod security;
#[cfg(test)]
mod tests;

pub use resources::{Qos, qos};

use crate::cluster::Cluster;
use crate::config::NodeConfig;
use crate::images::ResolvedImage;
use crate::pod::{Container, Pod};
use crate::step::StartFault;
use crate::volumes::Prepared;
use k8s::{Fields, Value};
use std::net::IpAddr;

/// Everything that a container is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The container.
    pub container: &'a Container,
    /// Which attempt.
    pub attempt: u32,
    /// Its image.
    pub image: &'a ResolvedImage,
    /// Where ConfigMaps, Secrets and Services are read.
    pub cluster: &'a dyn Cluster,
    /// The node.
    pub node: &'a NodeConfig,
    /// The pod's address.
    pub ip: Option<IpAddr>,
    /// The pod's volumes.
    pub volumes: &'a Prepared,
}

impl<'a> Inputs<'a> {
    /// The container's part of the object.
    pub fn raw(&self) -> &'a Value {
        self.pod.raw(self.container)
    }
}

/// The pod as the runtime makes it.
///
/// # Errors
/// A sentence that names what this node does not do.
pub fn pod_spec(pod: &Pod, node: &NodeConfig, netns: Option<std::path::PathBuf>) -> Result<runtime::PodSpec, String> {
    security::check_pod(pod)?;
    let sysctls = pod.object.items("spec.securityContext.sysctls").iter();
    Ok(runtime::PodSpec {
        id: pod.uid.clone(),
        name: format!("{}/{}", pod.namespace, pod.name),
        hostname: hosts::hostname(pod, node),
        folder: node.folders(&pod.uid).runtime(),
        netns,
        resources: resources::of_pod(pod, node),
        cgroup: format!("pods/{}", pod.uid),
        sysctls: sysctls.map(|sysctl| (sysctl.text("name").to_owned(), sysctl.text("value").to_owned())).collect(),
        share_processes: pod.object.flag("spec.shareProcessNamespace"),
        shm_bytes: 64 << 20,
    })
}

/// The container as the runtime starts it.
///
/// # Errors
/// What is missing or not allowed, as the kubelet words it.
pub fn container_spec(inputs: &Inputs<'_>) -> Result<runtime::ContainerSpec, StartFault> {
    let (pod, container, node) = (inputs.pod, inputs.container, inputs.node);
    let raw = inputs.raw();
    let env = env::of_container(inputs).map_err(StartFault::Config)?;
    let (user, privileges) = security::of_container(inputs).map_err(StartFault::Config)?;
    let folders = node.folders(&pod.uid);
    let dir = match raw.text("workingDir") {
        "" => inputs.image.config.working_dir.as_str(),
        own => own,
    };
    let key = (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str());
    Ok(runtime::ContainerSpec {
        name: container.name.clone(),
        attempt: inputs.attempt,
        root: runtime::Root {
            layers: inputs.image.layers.clone(),
            writable: folders.writable(&container.name, inputs.attempt),
            read_only: raw.flag("securityContext.readOnlyRootFilesystem"),
        },
        args: arguments(inputs, &env).map_err(StartFault::Create)?,
        mounts: mounts::of_container(inputs, &env).map_err(StartFault::Config)?,
        env: env::with_image(&env, inputs, &hosts::hostname(pod, node)),
        working_dir: if dir.is_empty() { "/".into() } else { dir.to_owned() },
        user,
        privileges,
        resources: resources::of_container(pod, raw, node),
        log: Some(runtime::LogFile {
            path: node.log_file(key, &container.name, inputs.attempt),
            max_bytes: node.log_max_bytes,
            max_files: node.log_max_files,
        }),
        stdin: raw.flag("stdin"),
        terminal: raw.flag("tty"),
    })
}

/// `command` and `args` over the image's entrypoint and cmd, with `$(VAR)` replaced. Source: core/v1 `Container`.
fn arguments(inputs: &Inputs<'_>, env: &env::Variables) -> Result<Vec<String>, String> {
    let raw = inputs.raw();
    let words = |field| -> Vec<String> {
        let items = raw.items(field).iter().filter_map(Value::as_str);
        items.map(|word| expand::expand(word, &|name| env.get(name).cloned())).collect()
    };
    let config = &inputs.image.config;
    let (command, args) = (words("command"), words("args"));
    let all: Vec<String> = match (command.is_empty(), args.is_empty()) {
        (false, _) => command.into_iter().chain(args).collect(),
        (true, false) => config.entrypoint.iter().cloned().chain(args).collect(),
        (true, true) => config.entrypoint.iter().chain(&config.cmd).cloned().collect(),
    };
    if all.is_empty() {
        return Err(format!(
            "no command specified: image `{}` has no entrypoint or cmd, and the container names none",
            inputs.container.image
        ));
    }
    Ok(all)
}
