//! Deployments, ReplicaSets, ReplicationControllers, PodTemplates, ControllerRevisions.

use super::{Errors, meta, names, pod, selector};
use crate::labels::Selector;
use crate::object::Fields;
use crate::{Cause, Value};

/// A Deployment.
pub fn deployment(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    common(object, old, &mut errors);
    strategy(object, &mut errors);
    errors.not_negative("spec.revisionHistoryLimit", object.int("spec.revisionHistoryLimit"));
    if let Some(seconds) = object.int("spec.progressDeadlineSeconds") {
        errors.not_negative("spec.progressDeadlineSeconds", Some(seconds));
        if seconds <= object.int("spec.minReadySeconds").unwrap_or(0) {
            errors.invalid("spec.progressDeadlineSeconds", seconds, "must be greater than minReadySeconds");
        }
    }
    errors.finish()
}

/// A ReplicaSet.
pub fn replica_set(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    common(object, old, &mut errors);
    errors.finish()
}

/// A ReplicationController.
pub fn replication_controller(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    numbers(object, &mut errors);
    let labels = object.texts("spec.selector");
    meta::labels(object.at("spec.selector"), "spec.selector", &mut errors);
    if labels.is_empty() {
        errors.required("spec.selector", "");
    } else if object.at("spec.template").is_some_and(|template| !Selector::from_map(&labels).matches(template)) {
        mismatched(object, &mut errors);
    }
    template(object, &mut errors);
    errors.finish()
}

fn numbers(object: &Value, errors: &mut Errors) {
    errors.not_negative("spec.replicas", object.int("spec.replicas"));
    errors.not_negative("spec.minReadySeconds", object.int("spec.minReadySeconds"));
}

fn common(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    numbers(object, errors);
    match object.at("spec.selector") {
        None => errors.required("spec.selector", ""),
        Some(found) => {
            let before = errors.count();
            selector::check(found, "spec.selector", errors);
            if selector::is_empty(found) {
                errors.invalid("spec.selector", found.clone(), "empty selector is invalid for deployment");
            } else if errors.count() == before {
                matches_template(object, found, errors);
            }
        }
    }
    if let Some(old) = old {
        errors.immutable("spec.selector", object.at("spec.selector"), old.at("spec.selector"));
    }
    template(object, errors);
}

fn template(object: &Value, errors: &mut Errors) {
    meta::labels(object.at("spec.template.metadata.labels"), "spec.template.labels", errors);
    meta::annotations(object.at("spec.template.metadata.annotations"), "spec.template.annotations", errors);
    let Some(spec) = object.at("spec.template.spec") else { return errors.required("spec.template", "") };
    pod::template_spec(spec, "spec.template.spec", errors);
    errors.one_of("spec.template.spec.restartPolicy", spec.text("restartPolicy"), &["Always"]);
    if spec.at("activeDeadlineSeconds").is_some() {
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported");
    }
}

fn matches_template(object: &Value, selector: &Value, errors: &mut Errors) {
    let matched = Selector::from_object(Some(selector))
        .is_some_and(|selector| object.at("spec.template").is_some_and(|template| selector.matches(template)));
    if !matched {
        mismatched(object, errors);
    }
}

fn mismatched(object: &Value, errors: &mut Errors) {
    let labels = object.at("spec.template.metadata.labels").cloned().unwrap_or_default();
    errors.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
}

fn strategy(object: &Value, errors: &mut Errors) {
    let path = "spec.strategy";
    match object.text("spec.strategy.type") {
        "Recreate" => {
            if object.at("spec.strategy.rollingUpdate").is_some() {
                errors.forbidden(format!("{path}.rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => rolling(object, errors),
        other => errors.unsupported(path, other, &["Recreate", "RollingUpdate"]),
    }
}

fn rolling(object: &Value, errors: &mut Errors) {
    let Some(update) = object.at("spec.strategy.rollingUpdate") else {
        return errors.required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil");
    };
    let mut numbers = Vec::new();
    for name in ["maxUnavailable", "maxSurge"] {
        let path = format!("spec.strategy.rollingUpdate.{name}");
        let number = amount(update.at(name), &path, errors);
        if name == "maxUnavailable" && number > 100 && update.at(name).is_some_and(Value::is_string) {
            errors.invalid(path, update.text(name), "must not be greater than 100%");
        }
        numbers.push(number);
    }
    if numbers == [0, 0] {
        let found = update.at("maxUnavailable").cloned().unwrap_or_default();
        errors.invalid("spec.strategy.rollingUpdate.maxUnavailable", found, "may not be 0 when `maxSurge` is 0");
    }
}

/// The number of an integer or of a percentage.
fn amount(found: Option<&Value>, path: &str, errors: &mut Errors) -> i64 {
    match found {
        Some(Value::String(text)) => {
            let digits = text.strip_suffix('%').filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
            if digits.is_none() {
                let told = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for \
                            validation is '[0-9]+%')";
                errors.invalid(path, text.as_str(), told);
            }
            digits.map_or(1, |digits| digits.parse().unwrap_or(i64::MAX))
        }
        found => {
            let number = found.and_then(Value::as_i64);
            errors.not_negative(path, number);
            number.unwrap_or(0)
        }
    }
}

/// A ControllerRevision.
pub fn controller_revision(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    match object.at("data") {
        None => errors.required("data", "data is mandatory"),
        Some(data) if !data.is_object() => errors.required("data", "data must be a valid JSON object"),
        Some(_) => {}
    }
    errors.not_negative("revision", object.int("revision"));
    if let Some(old) = old {
        errors.immutable("data", object.at("data"), old.at("data"));
    }
    errors.finish()
}

/// A PodTemplate.
pub fn pod_template(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    meta::labels(object.at("template.metadata.labels"), "template.labels", &mut errors);
    meta::annotations(object.at("template.metadata.annotations"), "template.annotations", &mut errors);
    match object.at("template.spec") {
        Some(spec) => pod::template_spec(spec, "template.spec", &mut errors),
        None => errors.required("template.spec.containers", ""),
    }
    errors.finish()
}

/// A Scale, the body of the subresource of that name.
pub fn scale(object: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    errors.not_negative("spec.replicas", object.int("spec.replicas"));
    errors.finish()
}
