//! The handle for parts of the same process: reads without waiting, writes through the same handler as everybody's.

use crate::auth::token::TokenWish;
use crate::core::Core;
use crate::handler::options::DeleteOptions;
use crate::handler::patching::PatchKind;
use crate::handler::{Call, Given};
use crate::request::{Target, prefix};
use crate::user::{MASTERS, User};
use base::Timestamp;
use k8s::{ApiError, Fields, Kind, Value};
use std::sync::Arc;
use store::{Revision, Watch, WatchEnd};

/// Cheap to clone.
#[derive(Clone)]
pub struct Api {
    core: Arc<Core>,
    user: Arc<User>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another.
    Modified,
    /// It is gone.
    Deleted,
}

/// Changes of one kind, or of all.
pub struct Changes {
    core: Arc<Core>,
    watch: Watch,
}

impl Changes {
    /// The next change; waits for it. The object is the new one, or the last one of what was deleted.
    ///
    /// # Errors
    /// When the reader was too slow (list again) or the store has stopped.
    pub async fn next(&mut self) -> Result<(Change, &'static Kind, Arc<Value>), WatchEnd> {
        loop {
            let event = self.watch.next().await?;
            let value = self.core.objects.decode_event(&event);
            let Some(kind) = k8s::kinds::find(value.text("apiVersion"), value.text("kind")) else { continue };
            let change = match (&event.before, &event.now) {
                (_, None) => Change::Deleted,
                (None, Some(_)) => Change::Added,
                (Some(_), Some(_)) => Change::Modified,
            };
            return Ok((change, kind, value));
        }
    }

    /// The revision up to which everything was read; `None` while changes wait.
    pub fn progress(&self) -> Option<Revision> {
        self.watch.progress()
    }
}

impl Api {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, user: Arc::new(User::new("system:wharf", &[MASTERS])) }
    }

    /// The same under another name, which is the manager of the fields that it writes.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { core: self.core.clone(), user: Arc::new(User::new(format!("system:{name}"), &[MASTERS])) }
    }

    /// One object; the namespace is empty for cluster-wide kinds.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.core.objects.get(kind, namespace, name).map(|stored| stored.value)
    }

    /// All objects of a kind, in one namespace or in all, in the order of their keys.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.core.objects.list(kind, namespace.unwrap_or_default())
    }

    /// The newest revision: changes after it are what [`Api::watch`] tells.
    pub fn revision(&self) -> Revision {
        self.core.objects.store.revision()
    }

    /// Changes of a kind, or of all, after a revision.
    ///
    /// # Errors
    /// 410 when they are no longer known.
    pub fn watch(&self, kind: Option<&'static Kind>, since: Revision) -> Result<Changes, ApiError> {
        let below = kind.map_or_else(|| "/".to_owned(), |kind| prefix(kind, ""));
        let watch = self.core.objects.store.watch(&below, since).map_err(|error| ApiError::expired(error.to_string()))?;
        Ok(Changes { core: self.core.clone(), watch })
    }

    fn call(&self, target: Target) -> Call<'_> {
        let mut call = Call::new(&self.core, &self.user, target);
        call.options.manager = self.user.name.strip_prefix("system:").unwrap_or(&self.user.name).to_owned();
        call
    }

    fn of(&self, kind: &'static Kind, object: &Value) -> Call<'_> {
        self.call(Target::object(kind, object.namespace(), object.name()))
    }

    /// Creates an object.
    ///
    /// # Errors
    /// As any create; so do all the others.
    pub async fn create(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.of(kind, &object).create(Given::Value(object)).await.map(|written| written.value)
    }

    /// Replaces an object, but for its status.
    ///
    /// # Errors
    /// 409 when it is not the version that `metadata.resourceVersion` names.
    pub async fn update(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        self.of(kind, &object).update(Given::Value(object)).await.map(|written| written.value)
    }

    /// Replaces an object's status.
    ///
    /// # Errors
    /// As [`Api::update`].
    pub async fn update_status(&self, kind: &'static Kind, object: Value) -> Result<Arc<Value>, ApiError> {
        let target = Target::object(kind, object.namespace(), object.name()).below("status");
        self.call(target).update(Given::Value(object)).await.map(|written| written.value)
    }

    /// Patches an object, or a subresource of it (`status`).
    ///
    /// # Errors
    /// As any patch.
    pub async fn patch(&self, target: Target, how: PatchKind, patch: &Value) -> Result<Arc<Value>, ApiError> {
        self.call(target).patch(how, patch).await.map(|written| written.value)
    }

    /// Applies an object under a manager's name.
    ///
    /// # Errors
    /// As any apply; conflicts unless `force`.
    pub async fn apply(&self, kind: &'static Kind, object: &Value, manager: &str, force: bool) -> Result<Arc<Value>, ApiError> {
        let mut call = self.of(kind, object);
        manager.clone_into(&mut call.options.manager);
        call.options.force = force;
        call.patch(PatchKind::Apply, object).await.map(|written| written.value)
    }

    /// Deletes an object, or marks it as being deleted.
    ///
    /// # Errors
    /// As any delete.
    pub async fn delete(&self, kind: &'static Kind, namespace: &str, name: &str, options: &DeleteOptions) -> Result<Arc<Value>, ApiError> {
        self.call(Target::object(kind, namespace, name)).delete(options).await.map(|written| written.value)
    }

    /// Binds a pod to a node; `uid` is the pod's, or empty.
    ///
    /// # Errors
    /// 409 for a pod that has a node or is another one.
    pub async fn bind(&self, namespace: &str, pod: &str, uid: &str, node: &str) -> Result<(), ApiError> {
        let binding = serde_json::json!({"metadata": {"name": pod, "uid": uid}, "target": {"kind": "Node", "name": node}});
        self.call(Target::object(k8s::kinds::POD, namespace, pod).below("binding")).bind(&binding).await
    }

    /// Takes the server's own finalizer from a namespace; one that is being deleted and held by no other is gone then.
    ///
    /// # Errors
    /// 404.
    pub async fn finalize(&self, namespace: &str) -> Result<(), ApiError> {
        let mut call = self.call(Target::object(k8s::kinds::NAMESPACE, "", namespace).below("finalize"));
        let clear = &mut |_: &mut Call<'_>, old: &Value| {
            let mut new = old.clone();
            let mut left = old.items("spec.finalizers").to_vec();
            left.retain(|finalizer| finalizer != "kubernetes");
            new.set("spec.finalizers", left);
            new.unset("metadata.resourceVersion");
            Ok(new)
        };
        call.modify(crate::handler::prepare::Part::Whole, clear).await.map(drop)
    }

    /// A token of a service account, and when it ends.
    ///
    /// # Errors
    /// 404 for the account or what the token is bound to.
    pub fn issue_token(&self, namespace: &str, account: &str, wish: &TokenWish) -> Result<(String, Timestamp), ApiError> {
        self.core.make_token(namespace, account, wish)
    }

    /// The cluster's certificate authority, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.core.pki.ca_pem
    }
}
