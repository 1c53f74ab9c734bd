//! An object is a JSON value; this is how rooms read and change one without a type for each kind.

use base::Timestamp;
use std::fmt;

/// A JSON value; objects are kept in key order, which is their canonical form.
pub type Value = serde_json::Value;

/// The name of one object: what a queue holds, what an error says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The kind.
    pub kind: &'static crate::Kind,
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectRef {
    /// Names an object.
    pub fn new(kind: &'static crate::Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The reference of an object of a known kind.
    pub fn of(kind: &'static crate::Kind, object: &Value) -> Self {
        Self::new(kind, object.namespace(), object.name())
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind.kind, self.namespace, self.name)
        }
    }
}

/// Reading and writing fields by a dotted path of member names (`spec.template.metadata.labels`).
///
/// A missing member reads as absent, empty, zero or false, as Go's zero values do. Names that hold dots (annotation
/// keys) are reached with [`Fields::member`].
pub trait Fields {
    /// The value at a path; `None` where any member is missing or null.
    fn at(&self, path: &str) -> Option<&Value>;
    /// The value of one member, whose name may hold dots.
    fn member(&self, name: &str) -> Option<&Value>;
    /// The value at a path, made (as objects, then null) where it is missing.
    fn at_mut(&mut self, path: &str) -> &mut Value;
    /// Sets the value at a path; missing members on the way are made.
    fn set(&mut self, path: &str, value: impl Into<Value>);
    /// Removes the member at a path; true when it was there.
    fn unset(&mut self, path: &str) -> bool;
    /// The text at a path, or empty.
    fn text(&self, path: &str) -> &str;
    /// The integer at a path.
    fn int(&self, path: &str) -> Option<i64>;
    /// The boolean at a path, or false.
    fn flag(&self, path: &str) -> bool;
    /// The list at a path, or an empty one.
    fn items(&self, path: &str) -> &[Value];
    /// The members of the map at a path whose values are texts, in key order.
    fn texts(&self, path: &str) -> Vec<(&str, &str)>;
    /// The time at a path.
    fn time(&self, path: &str) -> Option<Timestamp>;
    /// `metadata.name`.
    fn name(&self) -> &str {
        self.text("metadata.name")
    }
    /// `metadata.namespace`, or empty.
    fn namespace(&self) -> &str {
        self.text("metadata.namespace")
    }
    /// `metadata.uid`.
    fn uid(&self) -> &str {
        self.text("metadata.uid")
    }
    /// `metadata.resourceVersion`.
    fn resource_version(&self) -> &str {
        self.text("metadata.resourceVersion")
    }
    /// Whether `metadata.deletionTimestamp` is set.
    fn is_terminating(&self) -> bool {
        self.at("metadata.deletionTimestamp").is_some()
    }
    /// One label's value.
    fn label(&self, key: &str) -> Option<&str> {
        self.at("metadata.labels")?.member(key)?.as_str()
    }
    /// One annotation's value.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.at("metadata.annotations")?.member(key)?.as_str()
    }
    /// The owner reference with `controller: true`.
    fn controller(&self) -> Option<&Value> {
        self.items("metadata.ownerReferences").iter().find(|owner| owner.flag("controller"))
    }
    /// The entry of `status.conditions` of this type.
    fn condition(&self, kind: &str) -> Option<&Value> {
        self.items("status.conditions").iter().find(|condition| condition.text("type") == kind)
    }
}

impl Fields for Value {
    fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self, |value, name| value.get(name)).filter(|value| !value.is_null())
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    fn at_mut(&mut self, path: &str) -> &mut Value {
        path.split('.').fold(self, |value, name| {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            &mut value[name]
        })
    }

    fn set(&mut self, path: &str, value: impl Into<Value>) {
        *self.at_mut(path) = value.into();
    }

    fn unset(&mut self, path: &str) -> bool {
        let (parent, name) = match path.rsplit_once('.') {
            Some((parent, name)) => (parent.split('.').try_fold(self, |value, name| value.get_mut(name)), name),
            None => (Some(self), path),
        };
        parent.and_then(Value::as_object_mut).is_some_and(|members| members.remove(name).is_some())
    }

    fn text(&self, path: &str) -> &str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }

    fn int(&self, path: &str) -> Option<i64> {
        self.at(path)?.as_i64()
    }

    fn flag(&self, path: &str) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or_default()
    }

    fn items(&self, path: &str) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn texts(&self, path: &str) -> Vec<(&str, &str)> {
        let members = self.at(path).and_then(Value::as_object);
        members.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }

    fn time(&self, path: &str) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(self.text(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_missing_fields_as_zero_values() {
        let object = json!({"metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "x"}}, "spec": null});
        assert_eq!(object.name(), "a");
        assert_eq!(object.label("app.kubernetes.io/name"), Some("x"));
        assert_eq!(object.text("spec.nodeName"), "");
        assert!(object.items("spec.containers").is_empty());
    }

    #[test]
    fn writes_through_missing_members() {
        let mut object = json!({});
        object.set("status.replicas", 3);
        assert_eq!(object, json!({"status": {"replicas": 3}}));
        assert!(object.unset("status.replicas"));
        assert!(!object.unset("status.none.at.all"));
    }
}
