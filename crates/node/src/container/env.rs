//! A container's environment, in the order of precedence that Kubernetes gives it.

use super::expand::expand;
use super::{Inputs, refs};
use k8s::kinds::{CONFIG_MAP, SECRET, SERVICE};
use k8s::{Fields, Kind, Value};
use std::collections::BTreeMap;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// Search path of a container whose image and pod name none, as docker sets it.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the pod sets: services, `envFrom`, `env`; later ones win.
///
/// # Errors
/// What is missing, as the kubelet words it.
pub fn of_container(inputs: &Inputs<'_>) -> Result<Variables, String> {
    let raw = inputs.raw();
    let services = services(inputs);
    let mut set = Variables::new();
    for source in raw.items("envFrom") {
        for (kind, member) in [(CONFIG_MAP, "configMapRef"), (SECRET, "secretRef")] {
            if let Some(reference) = source.at(member) {
                from_object(inputs, kind, reference, source.text("prefix"), &mut set)?;
            }
        }
    }
    for variable in raw.items("env") {
        let name = variable.text("name").to_owned();
        let value = match variable.at("valueFrom") {
            None => {
                let lookup = |name: &str| set.get(name).or_else(|| services.get(name)).cloned();
                Some(expand(variable.text("value"), &lookup))
            }
            Some(from) => value_from(inputs, from)?,
        };
        if let Some(value) = value {
            set.insert(name, value);
        }
    }
    let mut all = services;
    all.extend(set);
    Ok(all)
}

/// The whole environment: the image's variables below the pod's.
pub fn with_image(pod: &Variables, inputs: &Inputs<'_>, hostname: &str) -> Vec<String> {
    let image = inputs.image.config.env.iter().filter_map(|entry| entry.split_once('='));
    let defaults = [("PATH", DEFAULT_PATH), ("HOSTNAME", hostname)];
    let mut all: BTreeMap<&str, &str> = defaults.into_iter().chain(image).collect();
    all.extend(pod.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn not_found(kind: &Kind, name: &str) -> String {
    format!("{} \"{name}\" not found", kind.singular)
}

fn from_object(inputs: &Inputs<'_>, kind: &'static Kind, reference: &Value, prefix: &str, set: &mut Variables) -> Result<(), String> {
    let name = reference.text("name");
    let Some(data) = refs::data(inputs.cluster, kind, &inputs.pod.namespace, name) else {
        return if reference.flag("optional") { Ok(()) } else { Err(not_found(kind, name)) };
    };
    for (key, value) in data {
        // A name with `=` or a NUL cannot be one; what is no text cannot be a value.
        if let (false, Ok(value)) = (key.contains(['=', '\0']) || key.is_empty(), String::from_utf8(value)) {
            set.insert(format!("{prefix}{key}"), value);
        }
    }
    Ok(())
}

fn value_from(inputs: &Inputs<'_>, from: &Value) -> Result<Option<String>, String> {
    if let Some(field) = from.at("fieldRef") {
        return refs::field(inputs.pod, field.text("fieldPath"), inputs.node, inputs.ip).map(Some);
    }
    if let Some(resource) = from.at("resourceFieldRef") {
        let named = inputs.pod.container(resource.text("containerName")).unwrap_or(inputs.container);
        return refs::resource(inputs.pod.raw(named), resource, inputs.node).map(Some);
    }
    for (kind, member) in [(CONFIG_MAP, "configMapKeyRef"), (SECRET, "secretKeyRef")] {
        let Some(reference) = from.at(member) else { continue };
        let (name, key) = (reference.text("name"), reference.text("key"));
        let optional = reference.flag("optional");
        let Some(mut data) = refs::data(inputs.cluster, kind, &inputs.pod.namespace, name) else {
            return if optional { Ok(None) } else { Err(not_found(kind, name)) };
        };
        return match data.remove(key) {
            Some(value) => String::from_utf8(value).map(Some).map_err(|_| format!("key {key} in {} {name} is no text", kind.kind)),
            None if optional => Ok(None),
            None => Err(format!("couldn't find key {key} in {} {}/{name}", kind.kind, inputs.pod.namespace)),
        };
    }
    let member = from.as_object().and_then(|members| members.keys().next().cloned()).unwrap_or_default();
    Err(format!("env source `{member}` is not supported"))
}

/// `NAME_SERVICE_HOST` and so on. Source: kubelet `pkg/kubelet/envvars`.
fn services(inputs: &Inputs<'_>) -> Variables {
    let namespace = &inputs.pod.namespace;
    let linked = inputs.pod.object.at("spec.enableServiceLinks").and_then(Value::as_bool).unwrap_or(true);
    let mut services: Vec<_> = inputs.cluster.get(SERVICE, "default", "kubernetes").into_iter().collect();
    if linked {
        services.extend(inputs.cluster.list(SERVICE, namespace));
    }
    let mut set = Variables::new();
    for service in services {
        let address = service.text("spec.clusterIP");
        if !matches!(address, "" | "None") {
            of_service(&service, address, &mut set);
        }
    }
    set
}

fn of_service(service: &Value, address: &str, set: &mut Variables) {
    let prefix = service.name().to_uppercase().replace('-', "_");
    for (index, port) in service.items("spec.ports").iter().enumerate() {
        let number = port.int("port").unwrap_or(0);
        let protocol = match port.text("protocol") {
            "" => "TCP",
            protocol => protocol,
        };
        let url = format!("{}://{address}:{number}", protocol.to_lowercase());
        if index == 0 {
            set.insert(format!("{prefix}_SERVICE_HOST"), address.to_owned());
            set.insert(format!("{prefix}_SERVICE_PORT"), number.to_string());
            set.insert(format!("{prefix}_PORT"), url.clone());
        }
        let name = port.text("name");
        if !name.is_empty() {
            set.insert(format!("{prefix}_SERVICE_PORT_{}", name.to_uppercase().replace('-', "_")), number.to_string());
        }
        let this = format!("{prefix}_PORT_{number}_{protocol}");
        set.insert(format!("{this}_PROTO"), protocol.to_lowercase());
        set.insert(format!("{this}_PORT"), number.to_string());
        set.insert(format!("{this}_ADDR"), address.to_owned());
        set.insert(this, url);
    }
}
