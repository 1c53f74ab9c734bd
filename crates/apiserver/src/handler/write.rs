//! Create and update: read, prepare, default, admit, validate, track, commit.

use super::prepare::{self, Part};
use super::{Call, Given, Written};
use crate::admission::{self, Operation, Review};
use crate::core::{MODIFIED, commit_error};
use crate::objects::{self, Stored};
use crate::request::{Target, key};
use bytes::Bytes;
use k8s::apply::{self, Manager};
use k8s::fields::{self, FieldProblem};
use k8s::kinds::{POD, SERVICE};
use k8s::{ApiError, Fields, Kind, Value, validate};
use std::sync::Arc;
use store::{CommitError, Expect, Op, Txn};
use tokio::sync::OwnedMutexGuard;

/// How often a write that does not name a version is tried when others come between; only those that have not waited for
/// the object's turn can.
pub(super) const TRIES: usize = 100;

impl Call<'_> {
    /// Creates an object.
    ///
    /// # Errors
    /// All that a create can be refused for.
    pub async fn create(&mut self, given: Given) -> Result<Written, ApiError> {
        let object = self.read(given)?;
        self.create_value(object).await
    }

    /// Creates an object that was read already.
    ///
    /// # Errors
    /// As [`Call::create`].
    pub async fn create_value(&mut self, mut object: Value) -> Result<Written, ApiError> {
        self.check_place(&mut object)?;
        let generated = object.name().is_empty() && !object.text("metadata.generateName").is_empty();
        loop {
            let mut made = object.clone();
            match self.create_once(&mut made, false).await {
                Err(error) if generated && error.reason == "AlreadyExists" => {}
                other => return other,
            }
        }
    }

    /// The create that an apply turned into; its fields are tracked already.
    ///
    /// # Errors
    /// As [`Call::create`].
    pub async fn create_applied(&mut self, mut object: Value) -> Result<Written, ApiError> {
        self.check_place(&mut object)?;
        self.create_once(&mut object, true).await
    }

    async fn create_once(&mut self, object: &mut Value, tracked: bool) -> Result<Written, ApiError> {
        let kind = self.target.kind;
        prepare::create(kind, &self.target.namespace, object, self.core.now())?;
        let _turns = admission::turns(self, None).await;
        (kind.default)(object);
        let mut review = self.review(Operation::Create, object, None);
        admission::review(&mut review)?;
        let (more, warnings) = (std::mem::take(&mut review.more), std::mem::take(&mut review.warnings));
        self.warnings.extend(warnings);
        (kind.default)(object);
        prepare::finish(kind, object);
        self.validate(object, None)?;
        self.support(object)?;
        if !tracked {
            apply::track_update(kind.schema, None, object, &self.manager(&["status"]));
        }
        let name = object.name().to_owned();
        let path = key(kind, object.namespace(), &name);
        if self.options.dry_run {
            return if self.core.objects.store.get(&path).is_some() {
                Err(ApiError::already_exists(kind, &name))
            } else {
                Ok(dry(object, true))
            };
        }
        let put = self.put(&path, object);
        let txn = Txn { expect: vec![Expect::Absent(put.0.clone())], ops: more };
        self.commit(txn, put, object, true).await.map_err(|error| match error {
            CommitError::Conflict { key, .. } if *key == *path => ApiError::already_exists(kind, &name),
            error => commit_error(kind, &name, &error),
        })
    }

    /// Replaces an object or its status.
    ///
    /// # Errors
    /// All that an update can be refused for.
    pub async fn update(&mut self, given: Given) -> Result<Written, ApiError> {
        let mut object = self.read(given)?;
        self.check_place(&mut object)?;
        if object.name() != self.target.name {
            let why = format!("the name of the object ({}) does not match the name on the URL ({})", object.name(), self.target.name);
            return Err(ApiError::bad_request(why));
        }
        let part = self.part();
        self.modify(part, &mut |_, _| Ok(object.clone())).await
    }

    /// Which part of the object the path means.
    pub fn part(&self) -> Part {
        match self.target.subresource.as_str() {
            "status" => Part::Status,
            "" => Part::Main,
            "finalize" => Part::Finalizers,
            "ephemeralcontainers" => Part::Ephemeral,
            "resize" => Part::Resize,
            _ => Part::Whole,
        }
    }

    /// Changes the object that is there by a function, again and again until nobody came between.
    ///
    /// # Errors
    /// 404 when there is none, 409 when it is not the version or the object that the change names.
    pub async fn modify(
        &mut self,
        part: Part,
        change: &mut (dyn FnMut(&mut Self, &Value) -> Result<Value, ApiError> + Send),
    ) -> Result<Written, ApiError> {
        let mut turn = None;
        for _ in 0..TRIES {
            let target = &self.target;
            let stored = self.core.objects.get(target.kind, &target.namespace, &target.name).ok_or_else(|| target.not_found())?;
            let new = change(self, &stored.value)?;
            match self.replace(&stored, new, part, false).await? {
                Some(written) => return Ok(written),
                None => self.wait_turn(&mut turn).await,
            }
        }
        Err(ApiError::conflict(self.target.kind, &self.target.name, MODIFIED))
    }

    /// Before a write is tried again: takes the object's turn, so that those that were beaten once go one after the other.
    pub(super) async fn wait_turn(&self, turn: &mut Option<OwnedMutexGuard<()>>) {
        if turn.is_none() {
            *turn = Some(self.core.turns.take(&self.target.key()).await);
        }
    }

    /// Puts `new` in the place of what is stored; nothing when another write came between and `new` names no version.
    ///
    /// # Errors
    /// All that an update can be refused for.
    pub async fn replace(&mut self, stored: &Stored, mut new: Value, part: Part, tracked: bool) -> Result<Option<Written>, ApiError> {
        let (kind, old) = (self.target.kind, &*stored.value);
        let named = self.check_version(stored, &new)?;
        prepare::update(kind, part, old, &mut new);
        let _turns = admission::turns(self, Some(old)).await;
        (kind.default)(&mut new);
        let mut review = self.review(Operation::Update, &mut new, Some(old));
        admission::review(&mut review)?;
        let (more, warnings) = (std::mem::take(&mut review.more), std::mem::take(&mut review.warnings));
        self.warnings.extend(warnings);
        (kind.default)(&mut new);
        self.validate(&new, Some((part, old)))?;
        if matches!(part, Part::Main | Part::Ephemeral) {
            self.support(&new)?;
        }
        // The scheduler's choice is no change of what is wanted. Source: kubernetes `pkg/registry/core/pod/storage` BindingREST.
        if self.target.subresource != "binding" {
            prepare::count(kind, old, &mut new);
        }
        if !tracked {
            let ignored: &[&str] = match part {
                Part::Main if kind.has_status => &["status"],
                Part::Status => &["spec"],
                _ => &[],
            };
            apply::track_update(kind.schema, Some(old), &mut new, &self.manager(ignored));
        }
        new.set("metadata.resourceVersion", old.resource_version());
        if apply::restore_times(old, &mut new) || *old == new {
            return Ok(Some(self.unchanged(stored)));
        }
        if self.options.dry_run {
            return Ok(Some(dry(&new, false)));
        }
        let path = self.target.key();
        let expect = vec![Expect::At(path.as_str().into(), stored.revision)];
        let committed = if is_free(kind, &new) {
            self.remove(&path, expect, new).await
        } else {
            let put = self.put(&path, &mut new);
            self.commit(Txn { expect, ops: more }, put, &mut new, false).await
        };
        match committed {
            Ok(written) => Ok(Some(written)),
            Err(CommitError::Conflict { .. }) if !named => Ok(None),
            Err(error) => Err(commit_error(kind, &self.target.name, &error)),
        }
    }

    /// Removes the object for good, telling watchers its last body.
    ///
    /// # Errors
    /// When another write came between, or the disk failed.
    pub async fn remove(&self, path: &str, expect: Vec<Expect>, mut last: Value) -> Result<Written, CommitError> {
        let (bytes, at) = objects::encode(&mut last);
        let op = Op::Delete { key: path.into(), last: Some((bytes, Some(at))) };
        let revision = self.core.objects.store.commit(Txn { expect, ops: vec![op] }).await?;
        last.set("metadata.resourceVersion", revision.to_string());
        let bytes = Bytes::from(last.to_string());
        Ok(Written { value: Arc::new(last), bytes, created: false, removed: true })
    }

    /// Reads a body as an object of the target's kind.
    ///
    /// # Errors
    /// 400 for what is none.
    pub fn read(&mut self, given: Given) -> Result<Value, ApiError> {
        let kind = self.target.kind;
        let (schema, api_version) = (kind.schema, kind.api_version());
        let refused = |error: fields::FieldError| fields::refusal(&api_version, kind.kind, &error);
        let checked = match &given {
            Given::Text(text) => fields::read(schema, text),
            Given::Value(value) => fields::check(schema, value),
        };
        let mut object = checked.map_err(refused).and_then(|checked| self.judged(checked.value, &checked.problems))?;
        for (name, wanted) in [("apiVersion", api_version.as_str()), ("kind", kind.kind)] {
            let found = object.text(name);
            if !found.is_empty() && found != wanted {
                let why = format!("{name} in the data ({found}) does not match the expected {name} ({wanted})");
                return Err(ApiError::bad_request(why));
            }
            object.set(name, wanted);
        }
        fields::settle(schema, &mut object);
        Ok(object)
    }

    /// Tells or refuses what is wrong with fields, as the request wants it.
    ///
    /// # Errors
    /// 400 under strict validation.
    pub fn judged(&mut self, value: Value, problems: &[FieldProblem]) -> Result<Value, ApiError> {
        let kind = self.target.kind;
        let told = fields::judge(self.options.validation, problems);
        self.warnings.extend(told.map_err(|error| fields::refusal(&kind.api_version(), kind.kind, &error))?);
        Ok(value)
    }

    fn support(&mut self, object: &Value) -> Result<(), ApiError> {
        let told = k8s::support::check(self.target.kind, object);
        if !told.refused.is_empty() {
            return Err(ApiError::invalid(self.target.kind, object.name(), told.refused));
        }
        for warning in told.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        Ok(())
    }

    fn validate(&self, object: &Value, old: Option<(Part, &Value)>) -> Result<(), ApiError> {
        let causes = match old {
            Some((Part::Ephemeral, old)) => validate::pod::ephemeral_containers(object, old),
            Some((Part::Resize, old)) => validate::pod::resize(object, old),
            other => (self.target.kind.validate)(object, other.map(|(_, old)| old)),
        };
        if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.target.kind, object.name(), causes)) }
    }

    /// Namespace and name of a body must be those of the path, where it names them.
    fn check_place(&self, object: &mut Value) -> Result<(), ApiError> {
        let Target { kind, namespace, .. } = &self.target;
        if kind.is_namespaced() {
            if namespace.is_empty() {
                return Err(ApiError::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"));
            }
            if object.namespace().is_empty() {
                object.set("metadata.namespace", namespace.as_str());
            } else if object.namespace() != namespace {
                let why = format!(
                    "the namespace of the provided object does not match the namespace sent on the request ({} != {namespace})",
                    object.namespace()
                );
                return Err(ApiError::bad_request(why));
            }
        }
        Ok(())
    }

    /// Whether the change names a version; 409 when it names another than what is stored, or another object.
    fn check_version(&self, stored: &Stored, new: &Value) -> Result<bool, ApiError> {
        let (kind, name) = (self.target.kind, &self.target.name);
        let uid = new.uid();
        if !uid.is_empty() && uid != stored.value.uid() {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", stored.value.uid());
            return Err(ApiError::conflict(kind, name, &why));
        }
        match new.resource_version() {
            "" | "0" => Ok(false),
            version if version == stored.revision.to_string() => Ok(true),
            _ => Err(ApiError::conflict(kind, name, MODIFIED)),
        }
    }

    fn review<'b>(&'b self, operation: Operation, object: &'b mut Value, old: Option<&'b Value>) -> Review<'b> {
        Review { call: self, operation, object, old, more: Vec::new(), warnings: Vec::new() }
    }

    /// The manager of this write's fields.
    pub fn manager<'b>(&'b self, ignored: &'b [&'b str]) -> Manager<'b> {
        let name = if self.options.manager.is_empty() { "unknown" } else { &self.options.manager };
        Manager {
            name,
            operation: apply::Operation::Update,
            api_version: &self.api_version,
            subresource: &self.target.subresource,
            time: self.core.now(),
            ignored,
        }
    }

    /// The answer to a write that changes nothing.
    pub fn unchanged(&self, stored: &Stored) -> Written {
        let same = self.core.objects.store.get(&self.target.key()).filter(|entry| entry.revision == stored.revision);
        let bytes = same.map_or_else(|| Bytes::from(stored.value.to_string()), |entry| entry.value.clone());
        Written { value: stored.value.clone(), bytes, created: false, removed: false }
    }

    fn put(&self, path: &str, object: &mut Value) -> (Arc<str>, Vec<u8>, usize) {
        let (bytes, at) = objects::encode(object);
        (path.into(), bytes, at)
    }

    async fn commit(
        &self,
        mut txn: Txn,
        put: (Arc<str>, Vec<u8>, usize),
        object: &mut Value,
        created: bool,
    ) -> Result<Written, CommitError> {
        let (path, bytes, at) = put;
        let size = bytes.len();
        let (head, tail) = bytes.split_at(at);
        let (head, tail) = (head.to_vec(), tail.to_vec());
        // The object comes last, so that the transaction's revision is the object's.
        txn.ops.push(Op::Put { key: path.clone(), value: bytes, stamp: Some(at) });
        let revision = self.core.objects.store.commit(txn).await?;
        let text = revision.to_string();
        let bytes = Bytes::from([head.as_slice(), text.as_bytes(), &tail].concat());
        object.set("metadata.resourceVersion", text);
        let value = Arc::new(std::mem::take(object));
        self.core.objects.remember(path, Stored { value: value.clone(), revision }, size);
        Ok(Written { value, bytes, created, removed: false })
    }
}

fn dry(object: &Value, created: bool) -> Written {
    Written { value: Arc::new(object.clone()), bytes: Bytes::from(object.to_string()), created, removed: false }
}

/// Whether nothing holds a terminating object any more: no finalizer, and for a pod no grace either.
fn is_free(kind: &'static Kind, object: &Value) -> bool {
    let held =
        !object.items("metadata.finalizers").is_empty() || !object.items("spec.finalizers").is_empty() && kind == k8s::kinds::NAMESPACE;
    let graceful = kind == POD && object.int("metadata.deletionGracePeriodSeconds").is_some_and(|seconds| seconds > 0);
    object.is_terminating() && !held && !graceful
}

/// Kinds whose delete answers with the object.
pub fn answers_with_object(kind: &'static Kind) -> bool {
    kind == POD || kind == SERVICE
}
