//! Pods and templates of pods.

use super::{each, fill, fill_number, inside, round_amounts, volume};
use crate::Value;
use crate::object::Fields;
use serde_json::json;

/// The lists of containers of a pod.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// A pod.
pub fn pod(object: &mut Value) {
    let Some(spec) = inside(object, "spec") else { return };
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(requests_from_limits);
    }
    fill(spec, "enableServiceLinks", true);
    template_spec(spec);
    fill(object, "status.phase", "Pending");
}

/// The `spec` of a pod or of a template.
pub fn template_spec(spec: &mut Value) {
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "restartPolicy", "Always");
    fill(spec, "securityContext", json!({}));
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "schedulerName", "default-scheduler");
    one_service_account(spec);
    let host_network = spec.flag("hostNetwork");
    for list in LISTS {
        for container in each(spec, list) {
            self::container(container, host_network);
        }
    }
    each(spec, "volumes").for_each(volume::volume);
    round_amounts(spec, "overhead");
    each(spec, "topologySpreadConstraints").for_each(|constraint| {
        fill(constraint, "whenUnsatisfiable", "DoNotSchedule");
    });
}

/// The old name of the field is kept equal to the new one.
fn one_service_account(spec: &mut Value) {
    let name = match spec.text("serviceAccountName") {
        "" => spec.text("serviceAccount").to_owned(),
        name => name.to_owned(),
    };
    if !name.is_empty() {
        spec.set("serviceAccountName", name.as_str());
        spec.set("serviceAccount", name);
    }
}

fn container(container: &mut Value, host_network: bool) {
    let policy = pull_policy(container.text("image"));
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    for port in each(container, "ports") {
        fill(port, "protocol", "TCP");
        if host_network {
            let number = port.int("containerPort").unwrap_or(0);
            fill_number(port, "hostPort", number);
        }
    }
    for variable in each(container, "env") {
        if let Some(field) = inside(variable, "valueFrom.fieldRef") {
            fill(field, "apiVersion", "v1");
        }
        if let Some(key) = inside(variable, "valueFrom.fileKeyRef") {
            fill(key, "optional", false);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = inside(container, name) {
            self::probe(probe);
        }
    }
    for path in ["lifecycle.postStart.httpGet", "lifecycle.preStop.httpGet"] {
        if let Some(action) = inside(container, path) {
            http_get(action);
        }
    }
    round_amounts(container, "resources.limits");
    round_amounts(container, "resources.requests");
}

fn probe(probe: &mut Value) {
    for (name, default) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)] {
        fill_number(probe, name, default);
    }
    if let Some(action) = inside(probe, "httpGet") {
        http_get(action);
    }
    if let Some(action) = inside(probe, "grpc") {
        fill(action, "service", "");
    }
}

fn http_get(action: &mut Value) {
    fill(action, "path", "/");
    fill(action, "scheme", "HTTP");
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container.at("resources.limits").and_then(Value::as_object).cloned() else { return };
    let mut requests = container.at("resources.requests").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, amount) in limits {
        requests.entry(name).or_insert(amount);
    }
    if !requests.is_empty() {
        container.set("resources.requests", Value::Object(requests));
    }
}

/// `Always` for the tag `latest`, which is also the tag of an image that names none.
pub(super) fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    let latest = match tag {
        Some(tag) => tag == "latest",
        None => !digest && !image.is_empty(),
    };
    if latest { "Always" } else { "IfNotPresent" }
}
