//! Claims, volumes, classes.

use super::{Errors, meta, names, resources};
use crate::object::Fields;
use crate::quantity;
use crate::{Cause, Value};

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// Members of a PersistentVolume's spec that are no source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// A PersistentVolumeClaim.
pub fn claim(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    modes(object, "at least 1 access mode is required", &mut errors);
    match object.at("spec.resources.requests").and_then(|requests| requests.member("storage")).and_then(Value::as_str) {
        None => errors.required("spec.resources[storage]", ""),
        Some(amount) => positive("spec.resources[storage]", amount, &mut errors),
    }
    class_and_mode(object, &mut errors);
    if let Some(selector) = object.at("spec.selector") {
        super::selector::check(selector, "spec.selector", &mut errors);
    }
    if let Some(old) = old {
        claim_update(object, old, &mut errors);
    }
    errors.finish()
}

fn claim_update(new: &Value, old: &Value, errors: &mut Errors) {
    let bound = old.text("status.phase") == "Bound";
    let munged = |object: &Value| {
        let mut spec = object.at("spec").cloned().unwrap_or_default();
        if bound {
            spec.unset("resources");
            spec.unset("volumeAttributesClassName");
        }
        if old.text("spec.volumeName").is_empty() {
            spec.unset("volumeName");
        }
        // A class may be given to a claim that named none, as the default class is.
        if old.at("spec.storageClassName").is_none() && new.at("spec.storageClassName").is_some() {
            spec.unset("storageClassName");
        }
        spec
    };
    if munged(new) != munged(old) {
        let told = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.forbidden("spec", told);
    }
    let amount = |object: &Value| quantity::parse_milli(object.text("spec.resources.requests.storage"));
    if amount(new) < amount(old) {
        errors.forbidden("spec.resources.requests.storage", "field can not be less than previous value");
    }
}

/// A PersistentVolume.
pub fn volume(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    modes(object, "", &mut errors);
    match object.at("spec.capacity").and_then(Value::as_object) {
        Some(capacity) if !capacity.is_empty() => {
            for (name, amount) in object.texts("spec.capacity") {
                if name != "storage" {
                    errors.unsupported("spec.capacity", name, &["storage"]);
                }
                positive(&format!("spec.capacity[{name}]"), amount, &mut errors);
            }
        }
        _ => errors.required("spec.capacity", ""),
    }
    errors.one_of(
        "spec.persistentVolumeReclaimPolicy",
        object.text("spec.persistentVolumeReclaimPolicy"),
        &["Delete", "Recycle", "Retain"],
    );
    class_and_mode(object, &mut errors);
    let sources = sources(object);
    if sources.is_empty() {
        errors.required("spec", "must specify a volume type");
    }
    for (name, _) in sources.iter().skip(1) {
        errors.forbidden(format!("spec.{name}"), "may not specify more than 1 volume type");
    }
    if object.at("spec.local").is_some() && object.at("spec.nodeAffinity").is_none() {
        errors.required("spec.nodeAffinity", "Local volume requires node affinity");
    }
    if let Some(wanted) = object.at("spec.nodeAffinity.required") {
        super::placement::node_selector(wanted, "spec.nodeAffinity.required", &mut errors);
    }
    for source in ["spec.hostPath", "spec.local"] {
        if object.at(source).is_some_and(|source| source.text("path").is_empty()) {
            errors.required(format!("{source}.path"), "");
        }
    }
    if let Some(old) = old
        && sources != self::sources(old)
    {
        errors.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation");
    }
    errors.finish()
}

fn sources(object: &Value) -> Vec<(&String, &Value)> {
    let members = object.at("spec").and_then(Value::as_object).into_iter().flatten();
    members.filter(|(name, value)| !value.is_null() && !NO_SOURCE.contains(&name.as_str())).collect()
}

fn modes(object: &Value, told: &str, errors: &mut Errors) {
    let found: Vec<&str> = object.items("spec.accessModes").iter().filter_map(Value::as_str).collect();
    if found.is_empty() {
        errors.required("spec.accessModes", told);
    }
    for mode in &found {
        errors.one_of("spec.accessModes", mode, &MODES);
    }
    if found.len() > 1 && found.contains(&"ReadWriteOncePod") {
        errors.forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes");
    }
}

fn class_and_mode(object: &Value, errors: &mut Errors) {
    let class = object.text("spec.storageClassName");
    if !class.is_empty() {
        errors.invalid_each("spec.storageClassName", class, names::subdomain(class));
    }
    errors.one_of("spec.volumeMode", object.text("spec.volumeMode"), &["Block", "Filesystem"]);
}

fn positive(path: &str, amount: &str, errors: &mut Errors) {
    resources::not_negative(path, amount, errors);
    if quantity::parse_milli(amount) == Some(0) {
        errors.invalid(path, amount, "must be greater than zero");
    }
}

/// A StorageClass.
pub fn class(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    match object.text("provisioner") {
        "" => errors.required("provisioner", ""),
        name => errors.invalid_each("provisioner", name, names::label_key(&name.to_lowercase())),
    }
    errors.one_of("reclaimPolicy", object.text("reclaimPolicy"), &["Delete", "Retain"]);
    errors.one_of("volumeBindingMode", object.text("volumeBindingMode"), &["Immediate", "WaitForFirstConsumer"]);
    if let Some(old) = old {
        for (name, told) in
            [("parameters", "updates to parameters are forbidden."), ("provisioner", "updates to provisioner are forbidden.")]
        {
            if object.at(name) != old.at(name) {
                errors.forbidden(name, told);
            }
        }
        for name in ["reclaimPolicy", "volumeBindingMode"] {
            errors.immutable(name, object.at(name), old.at(name));
        }
    }
    errors.finish()
}
