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
    // A negative time was once accepted and means at once.
    if spec.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0) {
        spec.set("terminationGracePeriodSeconds", 1);
    }
    if spec.flag("hostNetwork") {
        for list in ["containers", "initContainers"] {
            each(spec, list).for_each(ports_of_host);
        }
    }
}

/// The `spec` of a pod or of a template.
pub fn template_spec(spec: &mut Value) {
    fill(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "restartPolicy", "Always");
    fill(spec, "securityContext", json!({}));
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill(spec, "schedulerName", "default-scheduler");
    one_service_account(spec);
    for list in LISTS {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume::volume);
    round_amounts(spec, "overhead");
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

/// With the network of the host, a port inside is the same outside.
fn ports_of_host(container: &mut Value) {
    for port in each(container, "ports") {
        let number = port.int("containerPort").unwrap_or(0);
        fill_number(port, "hostPort", number);
    }
}

fn container(container: &mut Value) {
    let policy = pull_policy(container.text("image"));
    fill(container, "imagePullPolicy", policy);
    fill(container, "terminationMessagePath", "/dev/termination-log");
    fill(container, "terminationMessagePolicy", "File");
    for port in each(container, "ports") {
        fill(port, "protocol", "TCP");
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
    if latest && is_repository(name) { "Always" } else { "IfNotPresent" }
}

/// Whether a name without its digest can be one of an image: what cannot is no `latest` either.
fn is_repository(name: &str) -> bool {
    let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
    let last = last.split(':').next().unwrap_or(last);
    let good = |part: &str| {
        let bytes = part.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = bytes.first().is_some_and(plain) && bytes.last().is_some_and(plain);
        ends && bytes.iter().all(|byte| plain(byte) || b"._-".contains(byte))
    };
    let (first, middle) = path.split_once('/').unwrap_or((path, ""));
    let host = first.is_empty() && path.is_empty()
        || !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_[]".contains(&byte));
    host && (middle.is_empty() || middle.split('/').all(good)) && good(last)
}
