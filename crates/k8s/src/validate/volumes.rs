//! Volumes of pods and their mounts.

use super::{Errors, names};
use crate::Value;
use crate::object::Fields;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const HOST_PATH_TYPES: [&str; 8] = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Checks the list of volumes and returns their names.
pub fn check<'a>(spec: &'a Value, path: &str, errors: &mut Errors) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for (at, volume) in spec.items("volumes").iter().enumerate() {
        let path = format!("{path}.volumes[{at}]");
        let (name, before) = (volume.text("name"), errors.count());
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        } else {
            errors.invalid_each(&format!("{path}.name"), name, names::label(name));
        }
        if seen.contains(&name) {
            errors.duplicate(format!("{path}.name"), name);
        }
        source(volume, &path, errors);
        // A volume that is wrong cannot be mounted.
        if errors.count() == before {
            seen.push(name);
        }
    }
    seen
}

fn source(volume: &Value, path: &str, errors: &mut Errors) {
    let members = volume.as_object().into_iter().flatten();
    let mut sources = members.filter(|(name, value)| *name != "name" && !value.is_null());
    let Some((kind, source)) = sources.next() else { return errors.required(path, "must specify a volume type") };
    for (other, _) in sources {
        errors.forbidden(format!("{path}.{other}"), "may not specify more than 1 volume type");
    }
    let path = format!("{path}.{kind}");
    match kind.as_str() {
        "hostPath" => host_path(source, &path, errors),
        "emptyDir" if source.text("sizeLimit").starts_with('-') => {
            errors.forbidden(format!("{path}.sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
        "secret" => keyed(source, "secretName", &path, errors),
        "configMap" => keyed(source, "name", &path, errors),
        "persistentVolumeClaim" => required(source, "claimName", &path, errors),
        "downwardAPI" => {
            mode(source, "defaultMode", &path, errors);
            downward(source, &path, errors);
        }
        "projected" => {
            mode(source, "defaultMode", &path, errors);
            projected(source, &path, errors);
        }
        _ => {}
    }
}

fn required(source: &Value, name: &str, path: &str, errors: &mut Errors) {
    if source.text(name).is_empty() {
        errors.required(format!("{path}.{name}"), "");
    }
}

fn host_path(source: &Value, path: &str, errors: &mut Errors) {
    required(source, "path", path, errors);
    no_steps_back(source.text("path"), &format!("{path}.path"), errors);
    errors.one_of(format!("{path}.type"), source.text("type"), &HOST_PATH_TYPES);
}

fn keyed(source: &Value, name: &str, path: &str, errors: &mut Errors) {
    required(source, name, path, errors);
    mode(source, "defaultMode", path, errors);
    items(source, path, errors);
}

fn items(source: &Value, path: &str, errors: &mut Errors) {
    for (at, item) in source.items("items").iter().enumerate() {
        let path = format!("{path}.items[{at}]");
        required(item, "key", &path, errors);
        required(item, "path", &path, errors);
        relative(item.text("path"), &format!("{path}.path"), errors);
        mode(item, "mode", &path, errors);
    }
}

fn mode(source: &Value, name: &str, path: &str, errors: &mut Errors) {
    if let Some(mode) = source.int(name).filter(|mode| !(0..=0o777).contains(mode)) {
        errors.invalid(format!("{path}.{name}"), mode, MODE);
    }
}

/// The API server does not name the item.
fn downward(source: &Value, path: &str, errors: &mut Errors) {
    for item in source.items("items") {
        required(item, "path", path, errors);
        relative(item.text("path"), &format!("{path}.path"), errors);
        match (item.at("fieldRef").is_some(), item.at("resourceFieldRef").is_some()) {
            (true, true) => errors.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
            (false, false) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
            _ => {}
        }
        if item.at("fieldRef").is_some_and(|field| field.text("fieldPath").is_empty()) {
            errors.required(format!("{path}.fieldRef.fieldPath"), "");
        }
        mode(item, "mode", path, errors);
    }
}

fn projected(source: &Value, path: &str, errors: &mut Errors) {
    let holder = path;
    for (at, source) in source.items("sources").iter().enumerate() {
        let path = format!("{path}.sources[{at}]");
        let kinds: Vec<&str> =
            source.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(kind, _)| kind.as_str()).collect();
        if kinds.len() > 1 {
            errors.forbidden(&path, "may not specify more than 1 volume type per source");
        }
        for kind in kinds {
            let Some(inner) = source.at(kind) else { continue };
            let path = format!("{path}.{kind}");
            match kind {
                "secret" | "configMap" => {
                    required(inner, "name", &path, errors);
                    items(inner, &path, errors);
                }
                "downwardAPI" => downward(inner, &path, errors),
                "serviceAccountToken" => token(inner, &path, holder, errors),
                _ => {}
            }
        }
    }
}

fn token(inner: &Value, path: &str, holder: &str, errors: &mut Errors) {
    let seconds = inner.int("expirationSeconds").unwrap_or(3_600);
    if seconds < 600 {
        errors.invalid(format!("{path}.expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        errors.invalid(format!("{path}.expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    }
    required(inner, "path", holder, errors);
}

/// Checks the mounts of one container.
pub fn mounts(container: &Value, path: &str, volumes: &[&str], errors: &mut Errors) {
    let mut seen = Vec::new();
    for (at, mount) in container.items("volumeMounts").iter().enumerate() {
        let (list, path) = (format!("{path}.volumeMounts"), format!("{path}.volumeMounts[{at}]"));
        let name = mount.text("name");
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        }
        if !volumes.contains(&name) {
            errors.not_found(format!("{path}.name"), name);
        }
        let target = mount.text("mountPath");
        required(mount, "mountPath", &path, errors);
        if seen.contains(&target) {
            errors.invalid(format!("{path}.mountPath"), target, "must be unique");
        }
        seen.push(target);
        if !mount.text("subPath").is_empty() && !mount.text("subPathExpr").is_empty() {
            errors.invalid(format!("{path}.subPathExpr"), mount.text("subPathExpr"), "subPathExpr and subPath are mutually exclusive");
        }
        // The API server does not name the mount here.
        for name in ["subPath", "subPathExpr"] {
            relative(mount.text(name), &format!("{list}.{name}"), errors);
        }
        propagation(container, mount, &list, errors);
    }
}

fn propagation(container: &Value, mount: &Value, path: &str, errors: &mut Errors) {
    let Some(wanted) = mount.at("mountPropagation").and_then(Value::as_str) else { return };
    let path = format!("{path}.mountPropagation");
    errors.one_of(&path, wanted, &["Bidirectional", "HostToContainer", "None"]);
    if wanted == "Bidirectional" && !container.flag("securityContext.privileged") {
        errors.forbidden(path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn relative(target: &str, path: &str, errors: &mut Errors) {
    if target.starts_with('/') {
        errors.invalid(path, target, "must be a relative path");
    }
    no_steps_back(target, path, errors);
}

fn no_steps_back(target: &str, path: &str, errors: &mut Errors) {
    if target.split('/').any(|part| part == "..") {
        errors.invalid(path, target, "must not contain '..'");
    }
}
