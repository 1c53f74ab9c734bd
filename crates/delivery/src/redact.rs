//! Secrets without what they hold: a value becomes its HMAC under a key that only the deployer reads, so that a change shows, and
//! nobody can try guesses against what left the cluster.

use k8s::{Fields, Value};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How what is hidden begins.
const HIDDEN: &str = "(hidden)";
/// What kubectl applied last is all of an object again.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// What of a Secret is no secret.
const OPEN: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];

/// 32 random bytes, kept in the project's inventory or in a plan's file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key([u8; 32]);

impl Key {
    /// A new one.
    pub fn random() -> Self {
        Self(base::ids::random())
    }

    fn hide(&self, object: &Value, path: [&str; 2], value: &Value) -> Value {
        // Where it stands is part of it: equal values in two places are not seen to be equal.
        let place = [object.text("kind"), object.namespace(), object.name(), path[0], path[1]];
        let said = json!([place, value]).to_string();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), said.as_bytes());
        json!(format!("{HIDDEN} {}", base::ids::hex(tag.as_ref())))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(hidden)")
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        base::ids::hex(&key.0)
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err("a key is 64 hexadecimal digits");
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16).map_err(|_| "a key is 64 hexadecimal digits")?;
        }
        Ok(Self(bytes))
    }
}

/// Whether an object has anything to hide.
pub fn is_secret(object: &Value) -> bool {
    object.text("kind") == "Secret"
}

/// An object with what a Secret holds as HMACs, each by the name under which it stands; other objects as they are.
pub fn redacted(object: &Value, key: &Key) -> Value {
    let mut hidden = object.clone();
    if !is_secret(object) {
        return hidden;
    }
    let Some(members) = hidden.as_object_mut() else { return hidden };
    for (name, held) in members.iter_mut().filter(|(name, _)| !OPEN.contains(&name.as_str())) {
        match held {
            Value::Object(values) => values.iter_mut().for_each(|(member, value)| *value = key.hide(object, [name, member], value)),
            other => *other = key.hide(object, [name, ""], other),
        }
    }
    if let Some(applied) = last_applied(&mut hidden) {
        *applied = key.hide(object, ["metadata", LAST_APPLIED], applied);
    }
    hidden
}

/// Whether what stands at a path in a Secret, such as `data.token`, is hidden.
pub(crate) fn hides(path: &str) -> bool {
    let top = path.split(['.', '[']).next().unwrap_or_default();
    !OPEN.contains(&top) || path.contains(LAST_APPLIED)
}

fn last_applied(object: &mut Value) -> Option<&mut Value> {
    object.get_mut("metadata")?.get_mut("annotations")?.get_mut(LAST_APPLIED)
}

/// What of an object needs no hiding.
pub(crate) fn open(object: &Value) -> Value {
    let mut open = redacted(object, &Key([0; 32]));
    if let Some(members) = open.as_object_mut().filter(|_| is_secret(object)) {
        members.retain(|name, _| OPEN.contains(&name.as_str()));
    }
    if let Some(applied) = last_applied(&mut open).filter(|_| is_secret(object)) {
        *applied = Value::Null;
    }
    open
}

/// A value of a redacted object as people are shown it: that it is hidden, and no more.
pub fn shown(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(HIDDEN) => json!(HIDDEN),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        Value::Array(items) => items.iter().map(shown).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": {(LAST_APPLIED): "hunter2"}}, "data": data,
            "stringData": {"other": "hunter2"}, "surprise": "hunter2"})
    }

    #[test]
    fn nothing_of_a_secret_is_left_and_no_guess_can_be_tried() {
        let (one, other) = (Key::random(), Key::random());
        let object = secret(json!({"password": "aHVudGVyMg==", "pin": "aHVudGVyMg=="}));
        let hidden = redacted(&object, &one);
        let text = hidden.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg") && text.contains("(hidden)"), "{text}");
        for guess in [json!("aHVudGVyMg==").to_string(), "aHVudGVyMg==".to_owned(), "hunter2".to_owned()] {
            assert!(!text.contains(&oci::Digest::of(guess.as_bytes()).hex()), "an unkeyed digest");
        }
        assert_ne!(hidden, redacted(&object, &other), "another key, other words");
        assert_ne!(hidden["data"]["password"], hidden["data"]["pin"], "equal values are not told to be equal");
        assert_ne!(hidden, redacted(&secret(json!({"password": "x", "pin": "aHVudGVyMg=="})), &one));
        assert_eq!(hidden, redacted(&secret(json!({"pin": "aHVudGVyMg==", "password": "aHVudGVyMg=="})), &one), "order does not count");
        for odd in [json!("hunter2"), json!(["hunter2"]), json!({"a": {"b": "hunter2"}})] {
            assert!(!redacted(&secret(odd), &one).to_string().contains("hunter2"));
        }
        for (path, hidden) in
            [("data.a", true), ("data", true), ("surprise[0]", true), ("metadata.name", false), ("type", false), ("", true)]
        {
            assert_eq!(hides(path), hidden, "{path}");
        }
        assert!(hides(&format!("metadata.annotations.{LAST_APPLIED}")));
        let open = json!({"kind": "ConfigMap", "data": {"a": "1"}});
        assert_eq!(redacted(&open, &one), open);
        assert_eq!(shown(&hidden)["data"]["password"], "(hidden)");
    }

    #[test]
    fn a_key_is_kept_as_text_and_never_shown() {
        let key = Key::random();
        let text = serde_json::to_string(&key).expect("text");
        assert_eq!(serde_json::from_str::<Key>(&text).expect("read"), key);
        assert!(!format!("{key:?}").contains(&text[1..9]));
        for wrong in ["\"\"", "\"00\"", &format!("\"{}\"", "+1".repeat(32))[..10], &format!("\"{}\"", "g".repeat(64))] {
            serde_json::from_str::<Key>(wrong).expect_err(wrong);
        }
    }
}
