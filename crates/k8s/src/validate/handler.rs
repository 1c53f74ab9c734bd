//! Probes and life cycle hooks.

use super::{Errors, names};
use crate::Value;
use crate::object::Fields;

/// Checks a probe; `once` for those that one success satisfies.
pub fn probe(probe: &Value, path: &str, once: bool, errors: &mut Errors) {
    handler(probe, path, &["exec", "httpGet", "tcpSocket", "grpc"], errors);
    for name in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        errors.not_negative(format!("{path}.{name}"), probe.int(name));
    }
    if let Some(seconds) = probe.int("terminationGracePeriodSeconds").filter(|&seconds| seconds <= 0) {
        errors.invalid(format!("{path}.terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    }
    if once && probe.int("successThreshold") != Some(1) {
        errors.invalid(format!("{path}.successThreshold"), probe.int("successThreshold").unwrap_or(0), "must be 1");
    }
}

/// Checks that there is exactly one of these, and that one.
pub fn handler(holder: &Value, path: &str, kinds: &[&str], errors: &mut Errors) {
    let mut found = kinds.iter().filter_map(|kind| Some((*kind, holder.at(kind)?)));
    let Some((kind, action)) = found.next() else { return errors.required(path, "must specify a handler type") };
    action_of(kind, action, &format!("{path}.{kind}"), errors);
    for (kind, _) in found {
        errors.forbidden(format!("{path}.{kind}"), "may not specify more than 1 handler type");
    }
}

fn action_of(kind: &str, action: &Value, path: &str, errors: &mut Errors) {
    match kind {
        "exec" if action.items("command").is_empty() => errors.required(format!("{path}.command"), ""),
        "httpGet" => {
            if action.text("path").is_empty() {
                errors.required(format!("{path}.path"), "");
            }
            port(action, path, errors);
            errors.one_of(format!("{path}.scheme"), action.text("scheme"), &["HTTP", "HTTPS"]);
            for header in action.items("httpHeaders") {
                let name = header.text("name");
                errors.invalid_each(&format!("{path}.httpHeaders"), name, names::header(name));
            }
        }
        "tcpSocket" => port(action, path, errors),
        "grpc" => errors.in_range(format!("{path}.port"), action.int("port").unwrap_or(0), 1, 65_535),
        "sleep" => errors.not_negative(format!("{path}.seconds"), action.int("seconds")),
        _ => {}
    }
}

/// Checks `port`, a number or the name of a port.
fn port(action: &Value, path: &str, errors: &mut Errors) {
    let path = format!("{path}.port");
    match action.at("port") {
        Some(Value::String(name)) => errors.invalid_each(&path, name, names::port(name)),
        Some(number) => errors.in_range(path, number.as_i64().unwrap_or(0), 1, 65_535),
        None => errors.in_range(path, 0, 1, 65_535),
    }
}
