//! Delete: preconditions, grace, finalizers, what becomes of dependents.

use super::options::{DeleteOptions, Propagation};
use super::prepare::Part;
use super::write::TRIES;
use super::{Call, Written};
use crate::admission;
use crate::core::{MODIFIED, commit_error};
use crate::objects::Stored;
use crate::request::Target;
use base::Timestamp;
use k8s::kinds::{NAMESPACE, POD};
use k8s::{ApiError, Fields, Value};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::{CommitError, Expect};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

impl Call<'_> {
    /// Deletes the object, or marks it as being deleted.
    ///
    /// # Errors
    /// 404, 409 for preconditions.
    pub async fn delete(&mut self, options: &DeleteOptions) -> Result<Written, ApiError> {
        let mut turn = None;
        for _ in 0..TRIES {
            let target = self.target.clone();
            let stored = self.core.objects.get(target.kind, &target.namespace, &target.name).ok_or_else(|| target.not_found())?;
            check(&target, &stored, options)?;
            admission::may_delete(self, &stored.value)?;
            if let Some(written) = self.delete_once(&stored, options).await? {
                return Ok(written);
            }
            self.wait_turn(&mut turn).await;
        }
        Err(ApiError::conflict(self.target.kind, &self.target.name, MODIFIED))
    }

    async fn delete_once(&mut self, stored: &Stored, options: &DeleteOptions) -> Result<Option<Written>, ApiError> {
        let marked = self.marked(&stored.value, options);
        let free = marked.int("metadata.deletionGracePeriodSeconds").unwrap_or(0) == 0
            && marked.items("metadata.finalizers").is_empty()
            && (self.target.kind != NAMESPACE || marked.items("spec.finalizers").is_empty());
        if options.dry_run {
            return Ok(Some(self.unchanged(stored)));
        }
        if free {
            let path = self.target.key();
            let expect = vec![Expect::At(path.as_str().into(), stored.revision)];
            return match self.remove(&path, expect, marked).await {
                Ok(written) => Ok(Some(written)),
                Err(CommitError::Conflict { .. }) => Ok(None),
                Err(error) => Err(commit_error(self.target.kind, &self.target.name, &error)),
            };
        }
        if marked == *stored.value {
            return Ok(Some(self.unchanged(stored)));
        }
        let mut marked = marked;
        marked.unset("metadata.resourceVersion");
        self.replace(stored, marked, Part::Whole, true).await
    }

    /// The object as it is while it is being deleted.
    fn marked(&self, object: &Value, options: &DeleteOptions) -> Value {
        let mut marked = object.clone();
        let now = self.core.now();
        let grace = self.grace(object, options);
        let before = object.int("metadata.deletionGracePeriodSeconds");
        if !object.is_terminating() {
            mark(&mut marked, now, grace);
        } else if before.is_some_and(|before| grace < before) {
            // A second delete may hurry, never slow down; the time is counted from the first.
            let asked = object.time("metadata.deletionTimestamp").unwrap_or(now).micros() - before.unwrap_or(0) * 1_000_000;
            mark(&mut marked, Timestamp::from_micros(asked).max(now), grace);
        }
        if self.target.kind == NAMESPACE {
            marked.set("status.phase", "Terminating");
        }
        self.set_finalizers(object, &mut marked, options);
        marked
    }

    fn set_finalizers(&self, object: &Value, marked: &mut Value, options: &DeleteOptions) {
        let wanted = match options.propagation {
            Propagation::Foreground => Some(FOREGROUND),
            Propagation::Orphan => Some(ORPHAN),
            Propagation::Background => None,
        };
        let mut finalizers: Vec<Value> = object.items("metadata.finalizers").to_vec();
        finalizers.retain(|name| !matches!(name.as_str(), Some(FOREGROUND | ORPHAN)) || name.as_str() == wanted);
        if let Some(wanted) = wanted.filter(|wanted| !finalizers.iter().any(|name| name == wanted)) {
            finalizers.push(json!(wanted));
        }
        if finalizers.is_empty() {
            marked.unset("metadata.finalizers");
        } else {
            marked.set("metadata.finalizers", finalizers);
        }
    }

    // A pod that runs nowhere, or has ended, needs no time to end.
    fn grace(&self, object: &Value, options: &DeleteOptions) -> i64 {
        if self.target.kind != POD {
            return 0;
        }
        let own = object.int("spec.terminationGracePeriodSeconds").unwrap_or(30);
        let asked = options.grace_seconds.unwrap_or(own);
        let asked = if asked < 0 { 1 } else { asked };
        let ended = matches!(object.text("status.phase"), "Succeeded" | "Failed");
        if object.text("spec.nodeName").is_empty() || ended { 0 } else { asked }
    }

    /// Deletes all objects of a collection that match; gives those that were there.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn delete_collection(&mut self, matching: Vec<Arc<Value>>, options: &DeleteOptions) -> Result<Vec<Arc<Value>>, ApiError> {
        let collection = self.target.clone();
        for object in &matching {
            self.target = Target::object(collection.kind, object.namespace(), object.name());
            match self.delete(options).await {
                Ok(_) => {}
                Err(error) if error.reason == "NotFound" => {}
                Err(error) => return Err(error),
            }
        }
        self.target = collection;
        Ok(matching)
    }
}

fn mark(object: &mut Value, now: Timestamp, grace: i64) {
    let until = now.plus(Duration::from_secs(u64::try_from(grace).unwrap_or(0)));
    object.set("metadata.deletionTimestamp", until.rfc3339());
    object.set("metadata.deletionGracePeriodSeconds", grace);
}

fn check(target: &Target, stored: &Stored, options: &DeleteOptions) -> Result<(), ApiError> {
    let refuse = |what: &str, wanted: &str, found: &str| {
        let why = format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}");
        Err(ApiError::conflict(target.kind, &target.name, &why))
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != stored.value.uid()) {
        return refuse("UID", uid, stored.value.uid());
    }
    let version = stored.revision.to_string();
    if let Some(wanted) = options.resource_version.as_deref().filter(|wanted| *wanted != version) {
        return refuse("ResourceVersion", wanted, &version);
    }
    Ok(())
}
