//! An answer that is not a success, as `metav1.Status` says it.

use crate::object::Value;
use serde_json::json;

/// One cause: field, reason, message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// Path, such as `spec.replicas`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A refused request. Source: apimachinery `pkg/api/errors`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// `metav1.StatusReason`, such as `NotFound`.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// `details.kind`: the plural resource name (of a 422 the kind); empty where there is none.
    pub resource: String,
    /// API group in `details.group`.
    pub group: String,
    /// Object's name in `details.name`.
    pub name: String,
    /// `details.causes`.
    pub causes: Vec<Cause>,
    /// `details.retryAfterSeconds`.
    pub retry_after_seconds: Option<u32>,
    /// `metadata.continue`: how a list that cannot go on as it began goes on all the same; mostly empty.
    pub continue_with: String,
}

impl ApiError {
    /// An answer with a code, a reason and a message.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            reason,
            message,
            resource: String::new(),
            group: String::new(),
            name: String::new(),
            causes: Vec::new(),
            retry_after_seconds: None,
            continue_with: String::new(),
        }
    }

    /// The same, about an object.
    #[must_use]
    pub fn about(mut self, kind: &crate::Kind, name: &str) -> Self {
        self.resource = kind.resource.to_owned();
        self.group = kind.group.to_owned();
        self.name = name.to_owned();
        self
    }

    /// 404: `pods "x" not found`.
    pub fn not_found(kind: &crate::Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified_resource())).about(kind, name)
    }

    /// 409: `pods "x" already exists`.
    pub fn already_exists(kind: &crate::Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.qualified_resource())).about(kind, name)
    }

    /// 409: the object changed since it was read.
    pub fn conflict(kind: &crate::Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified_resource());
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// 403.
    pub fn forbidden(kind: &crate::Kind, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified_resource());
        Self::new(403, "Forbidden", message).about(kind, name)
    }

    /// 422 with its causes.
    pub fn invalid(kind: &crate::Kind, name: &str, causes: Vec<Cause>) -> Self {
        let told: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let told = if let [one] = told.as_slice() { one.clone() } else { format!("[{}]", told.join(", ")) };
        let named = if kind.group.is_empty() { kind.kind.to_owned() } else { format!("{}.{}", kind.kind, kind.group) };
        let mut error = Self::new(422, "Invalid", format!("{named} \"{name}\" is invalid: {told}")).about(kind, name);
        // Only here the details carry the kind and not the resource.
        error.resource = kind.kind.to_owned();
        error.causes = causes;
        error
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 410: the revision is no longer in memory; list again.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// The `metav1.Status` object.
    pub fn to_status(&self) -> Value {
        let mut details = serde_json::Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.resource)] {
            if !text.is_empty() {
                details.insert(key.to_owned(), json!(text));
            }
        }
        if !self.causes.is_empty() {
            let cause = |cause: &Cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field});
            details.insert("causes".to_owned(), self.causes.iter().map(cause).collect());
        }
        if let Some(seconds) = self.retry_after_seconds {
            details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        }
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code});
        if !self.continue_with.is_empty() {
            status["metadata"]["continue"] = json!(self.continue_with);
        }
        if !details.is_empty() {
            status["details"] = Value::Object(details);
        }
        status
    }
}
