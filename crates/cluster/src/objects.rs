//! Reading and writing objects.

use crate::connect::Request;
use crate::{Cluster, Resource, Result};
use http::Method;
use k8s::{Fields, Value};
use serde_json::json;

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The namespace; empty for all.
    pub namespace: String,
    /// A label selector in query form; empty for all.
    pub labels: String,
    /// A field selector in query form; empty for all.
    pub fields: String,
}

impl Selection {
    /// All of one namespace.
    pub fn namespace(namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..Self::default() }
    }

    /// The same with a label selector.
    #[must_use]
    pub fn labels(mut self, labels: impl Into<String>) -> Self {
        self.labels = labels.into();
        self
    }

    /// The same with a field selector.
    #[must_use]
    pub fn fields(mut self, fields: impl Into<String>) -> Self {
        self.fields = fields.into();
        self
    }
}

/// Objects as they were at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Each with its `apiVersion` and `kind`.
    pub items: Vec<Value>,
    /// From here a watch goes on.
    pub resource_version: String,
}

/// How an intent is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Take fields from other managers.
    pub force: bool,
    /// Only say what would come of it.
    pub dry_run: bool,
}

/// What becomes of what a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// It goes afterwards.
    #[default]
    Background,
    /// It goes first.
    Foreground,
    /// It stays.
    Orphan,
}

impl Propagation {
    fn name(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// How an object is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// What becomes of what it owns.
    pub propagation: Propagation,
    /// Only the object of this uid.
    pub uid: Option<String>,
    /// Seconds that its containers have.
    pub grace_seconds: Option<u32>,
}

/// Objects in one answer of a list.
const PAGE: &str = "500";

impl Cluster {
    /// One object, or nothing where it does not exist.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Option<Value>> {
        match self.send(Request::get(resource.path(namespace, name))).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a selection, page by page.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn list(&self, resource: &Resource, selection: &Selection) -> Result<List> {
        let mut items: Vec<Value> = Vec::new();
        let mut token = String::new();
        loop {
            let request = Request::get(resource.path(&selection.namespace, "")).with("labelSelector", &selection.labels);
            let request = request.with("fieldSelector", &selection.fields).with("limit", PAGE).with("continue", &token);
            let mut answer = self.send(request).await?;
            if let Some(Value::Array(page)) = answer.get_mut("items").map(Value::take) {
                items.extend(page.into_iter().map(|item| typed(resource, item)));
            }
            answer.text("metadata.continue").clone_into(&mut token);
            if token.is_empty() {
                return Ok(List { items, resource_version: answer.text("metadata.resourceVersion").to_owned() });
            }
        }
    }

    /// Applies an intent server-side; the answer is the object as it now stands (or would).
    ///
    /// # Errors
    /// Conflicts and refusals; see [`crate::Error::Api`].
    pub async fn apply(&self, resource: &Resource, intent: &Value, how: &Apply<'_>) -> Result<Value> {
        let request = Request::new(Method::PATCH, resource.path(intent.namespace(), intent.name()));
        let request = request.with("fieldManager", how.manager).with("force", if how.force { "true" } else { "" });
        let request = request.with("dryRun", if how.dry_run { "All" } else { "" }).with("fieldValidation", "Strict");
        self.send(request.body("application/apply-patch+yaml", intent)).await
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When it exists already, or the server refuses.
    pub async fn create(&self, resource: &Resource, object: &Value, manager: &str) -> Result<Value> {
        let request = Request::new(Method::POST, resource.path(object.namespace(), "")).with("fieldManager", manager);
        self.send(request.body("application/json", object)).await
    }

    /// Replaces an object; its `resourceVersion`, where given, must still be the newest.
    ///
    /// # Errors
    /// A conflict when the object changed since, or the server refuses.
    pub async fn replace(&self, resource: &Resource, object: &Value, manager: &str) -> Result<Value> {
        let request = Request::new(Method::PUT, resource.path(object.namespace(), object.name())).with("fieldManager", manager);
        self.send(request.body("application/json", object)).await
    }

    /// Lays a merge patch over an object.
    ///
    /// # Errors
    /// When there is no such object, or the server refuses.
    pub async fn merge_patch(&self, resource: &Resource, namespace: &str, name: &str, patch: &Value, manager: &str) -> Result<Value> {
        let request = Request::new(Method::PATCH, resource.path(namespace, name)).with("fieldManager", manager);
        self.send(request.body("application/merge-patch+json", patch)).await
    }

    /// Deletes an object; false when there was none (or another of that name, where a uid is given).
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn delete(&self, resource: &Resource, namespace: &str, name: &str, how: &Delete) -> Result<bool> {
        let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": how.propagation.name()});
        if let Some(uid) = &how.uid {
            options["preconditions"] = json!({"uid": uid});
        }
        if let Some(seconds) = how.grace_seconds {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        let request = Request::new(Method::DELETE, resource.path(namespace, name)).body("application/json", &options);
        match self.send(request).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) if how.uid.is_some() && error.api().is_some_and(|error| error.code == 409) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

// Items of a list carry no type of their own.
fn typed(resource: &Resource, mut item: Value) -> Value {
    if item.get("kind").is_none() {
        item.set("kind", resource.kind.as_str());
        item.set("apiVersion", resource.api_version());
    }
    item
}
