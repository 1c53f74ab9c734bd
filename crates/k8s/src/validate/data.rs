//! ConfigMaps and Secrets.

use super::{Errors, meta, names};
use crate::object::Fields;
use crate::{Cause, Value};

/// All values together, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// A ConfigMap.
pub fn config_map(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let mut size = 0;
    for list in ["data", "binaryData"] {
        for (key, text) in object.texts(list) {
            errors.invalid_each(&format!("{list}[{key}]"), key, names::data_key(key));
            size += if list == "data" { text.len() } else { decoded(text) };
        }
    }
    for (key, _) in object.texts("data") {
        if object.at("binaryData").is_some_and(|other| other.member(key).is_some()) {
            let told = format!("duplicate of key present in data[{key}]");
            errors.invalid(format!("binaryData[{key}]"), key, &told);
        }
    }
    if size > MOST_BYTES {
        // A path without a name is shown so.
        errors.too_long("[]", MOST_BYTES);
    }
    immutable(object, old, &["data", "binaryData"], &mut errors);
    errors.finish()
}

/// A Secret.
pub fn secret(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    let mut size = 0;
    for (key, text) in object.texts("data") {
        errors.invalid_each(&format!("data[{key}]"), key, names::data_key(key));
        size += decoded(text);
    }
    if size > MOST_BYTES {
        errors.too_long("data", MOST_BYTES);
    }
    typed(object, &mut errors);
    if let Some(old) = old {
        errors.immutable("type", object.at("type"), old.at("type"));
    }
    immutable(object, old, &["data"], &mut errors);
    errors.finish()
}

/// Bytes that base64 text stands for.
fn decoded(text: &str) -> usize {
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count().min(text.len() / 4 * 3)
}

/// What the types of Secrets must hold.
fn typed(object: &Value, errors: &mut Errors) {
    let has = |key: &str| object.at("data").is_some_and(|data| data.member(key).is_some());
    let mut all = |keys: &[&str]| {
        for key in keys.iter().filter(|key| !has(key)) {
            errors.required(format!("data[{key}]"), "");
        }
    };
    match object.text("type") {
        "kubernetes.io/dockercfg" => all(&[".dockercfg"]),
        "kubernetes.io/dockerconfigjson" => all(&[".dockerconfigjson"]),
        "kubernetes.io/ssh-auth" => all(&["ssh-privatekey"]),
        "kubernetes.io/tls" => all(&["tls.crt", "tls.key"]),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => all(&["username", "password"]),
        "kubernetes.io/service-account-token" if object.annotation("kubernetes.io/service-account.name").is_none_or(str::is_empty) => {
            errors.required("metadata.annotations[kubernetes.io/service-account.name]", "");
        }
        _ => {}
    }
    for key in [".dockercfg", ".dockerconfigjson"] {
        if object.text("type").ends_with(&key.replace('.', "/")) && has(key) {
            docker_config(object, key, errors);
        }
    }
}

fn docker_config(object: &Value, key: &str, errors: &mut Errors) {
    use base64::Engine;
    let text = object.at("data").and_then(|data| data.member(key)).and_then(Value::as_str).unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    if !serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| value.is_object()) {
        errors.invalid(format!("data[{key}]"), "<secret contents redacted>", "invalid character: the configuration is no JSON object");
    }
}

fn immutable(object: &Value, old: Option<&Value>, fields: &[&str], errors: &mut Errors) {
    let Some(old) = old.filter(|old| old.flag("immutable")) else { return };
    const WHY: &str = "field is immutable when `immutable` is set";
    if !object.flag("immutable") {
        errors.forbidden("immutable", WHY);
    }
    for field in fields {
        if object.at(field) != old.at(field) {
            errors.forbidden(*field, WHY);
        }
    }
}
