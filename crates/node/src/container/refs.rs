//! `fieldRef`, `resourceFieldRef` and keys of ConfigMaps and Secrets: values that come from elsewhere.

use crate::cluster::Cluster;
use crate::config::NodeConfig;
use crate::pod::Pod;
use k8s::{Fields, Kind, Value, quantity};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The value of a `fieldRef` path.
///
/// # Errors
/// When there is no such path.
pub fn field(pod: &Pod, path: &str, node: &NodeConfig, ip: Option<IpAddr>) -> Result<String, String> {
    let address = || ip.map(|ip| ip.to_string()).unwrap_or_default();
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        if !matches!(map, "metadata.labels" | "metadata.annotations") {
            return Err(format!("fieldPath \"{path}\" does not support subscript"));
        }
        let value = pod.object.at(map).and_then(|members| members.member(key)).and_then(Value::as_str);
        return Ok(value.unwrap_or_default().to_owned());
    }
    Ok(match path {
        "metadata.name" => pod.name.clone(),
        "metadata.namespace" => pod.namespace.clone(),
        "metadata.uid" => pod.uid.clone(),
        "metadata.labels" | "metadata.annotations" => {
            let lines: Vec<String> = pod.object.texts(path).iter().map(|(key, value)| format!("{key}={value:?}")).collect();
            lines.join("\n")
        }
        "spec.nodeName" => node.name.clone(),
        "spec.serviceAccountName" => pod.object.text("spec.serviceAccountName").to_owned(),
        "status.hostIP" | "status.hostIPs" => node.address.to_string(),
        "status.podIP" | "status.podIPs" => address(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// The value of a `resourceFieldRef`: a container's limit or request in units of the divisor, rounded up; a limit that is not set is
/// what the node can give.
///
/// # Errors
/// When the resource or the divisor is none.
pub fn resource(container: &Value, reference: &Value, node: &NodeConfig) -> Result<String, String> {
    let resource = reference.text("resource");
    let (group, name) = resource.split_once('.').ok_or_else(|| format!("unsupported container resource : {resource}"))?;
    let list = |group: &str| container.at("resources")?.at(group)?.member(name)?.as_str().and_then(quantity::parse_milli);
    let whole = |n: u64| i128::from(n) * 1_000;
    let allocatable = match name {
        "cpu" => i128::from(node.capacity.cpu_milli),
        "memory" => whole(node.capacity.allocatable_memory()),
        "ephemeral-storage" => whole(node.capacity.disk_bytes),
        _ if name.starts_with("hugepages-") => 0,
        _ => return Err(format!("unsupported container resource : {resource}")),
    };
    let value = match group {
        "limits" => list("limits").filter(|n| *n > 0).unwrap_or(allocatable),
        "requests" => list("requests").or_else(|| list("limits")).unwrap_or(0),
        _ => return Err(format!("unsupported container resource : {resource}")),
    };
    let divisor = match reference.text("divisor") {
        "" | "0" => 1_000,
        text => quantity::parse_milli(text).filter(|n| *n > 0).ok_or_else(|| format!("wrong divisor `{text}`"))?,
    };
    Ok((value.div_euclid(divisor) + i128::from(value.rem_euclid(divisor) != 0)).to_string())
}

/// The data of a ConfigMap or Secret by key; `None` when there is no such object.
pub fn data(cluster: &dyn Cluster, kind: &'static Kind, namespace: &str, name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    let object = cluster.get(kind, namespace, name)?;
    let (plain, encoded) = if kind.kind == "Secret" { ("none", "data") } else { ("data", "binaryData") };
    let mut data: BTreeMap<String, Vec<u8>> =
        object.texts(plain).into_iter().map(|(key, text)| (key.to_owned(), text.as_bytes().to_vec())).collect();
    for (key, text) in object.texts(encoded) {
        use base64::Engine;
        if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) {
            data.insert(key.to_owned(), bytes);
        }
    }
    Some(data)
}

/// The names of ConfigMaps, Secrets and claims that a pod is made from: (kind, name).
pub fn dependencies(pod: &Pod) -> std::collections::BTreeSet<(&'static str, String)> {
    let mut found = std::collections::BTreeSet::new();
    let mut note = |kind, name: &str| {
        if !name.is_empty() {
            found.insert((kind, name.to_owned()));
        }
    };
    let object = &pod.object;
    for container in ["containers", "initContainers", "ephemeralContainers"].iter().flat_map(|list| object.items(&format!("spec.{list}"))) {
        for source in container.items("envFrom") {
            note("ConfigMap", source.text("configMapRef.name"));
            note("Secret", source.text("secretRef.name"));
        }
        for variable in container.items("env") {
            note("ConfigMap", variable.text("valueFrom.configMapKeyRef.name"));
            note("Secret", variable.text("valueFrom.secretKeyRef.name"));
        }
    }
    for volume in object.items("spec.volumes") {
        note("ConfigMap", volume.text("configMap.name"));
        note("Secret", volume.text("secret.secretName"));
        note("PersistentVolumeClaim", volume.text("persistentVolumeClaim.claimName"));
        if volume.at("ephemeral").is_some() {
            note("PersistentVolumeClaim", &format!("{}-{}", pod.name, volume.text("name")));
        }
        for source in volume.items("projected.sources") {
            note("ConfigMap", source.text("configMap.name"));
            note("Secret", source.text("secret.name"));
        }
    }
    found
}
