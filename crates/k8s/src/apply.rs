//! Server-side apply and the tracking of who owns which field.
//!
//! Sources: structured-merge-diff `merge`, apimachinery `pkg/util/managedfields`.

mod fields;
mod managers;
pub(crate) mod shape;
mod walk;

#[cfg(test)]
pub(crate) mod tests;

pub use fields::FieldSet;

use crate::error::{ApiError, Cause};
use crate::object::{Fields, Value};
use crate::schema::Message;
use base::Timestamp;
use managers::Entry;
use shape::Shape;
use std::borrow::Cow;
use walk::Changes;

/// How a manager came to own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    /// As `managedFields` writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Who writes, how, and what of it is not tracked.
#[derive(Clone, Copy, Debug)]
pub struct Manager<'a> {
    /// The field manager's name.
    pub name: &'a str,
    /// Apply or update.
    pub operation: Operation,
    /// The version in which the fields are named, such as `apps/v1`.
    pub api_version: &'a str,
    /// `status`, `scale`, or empty.
    pub subresource: &'a str,
    /// When.
    pub time: Timestamp,
    /// Paths that this request cannot write, such as `status` on the main resource; dotted, without a leading dot.
    pub ignored: &'a [&'a str],
}

/// Fields that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner as kubectl shows it: `"kubectl" using apps/v1`.
    pub owner: String,
    /// The path: `.spec.replicas`.
    pub path: String,
}

/// Why an intent was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own what the intent would change.
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The intent itself cannot be read.
    #[error("{0}")]
    Invalid(String),
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        let message = error.to_string();
        match error {
            ApplyError::Invalid(_) => Self::bad_request(message),
            ApplyError::Conflicts(conflicts) => {
                let mut made = Self::new(409, "Conflict", message);
                let cause = |conflict: Conflict| Cause {
                    reason: "FieldManagerConflict",
                    field: conflict.path,
                    message: format!("conflict with {}", conflict.owner),
                };
                made.causes = conflicts.into_iter().map(cause).collect();
                made
            }
        }
    }
}

/// Applies an intent to what is there. The answer carries the new `metadata.managedFields`; it equals `live` when nothing
/// changes.
///
/// # Errors
/// Conflicts with other managers unless `force`; an intent that names fields twice or carries `managedFields`.
pub fn apply(
    schema: &'static Message,
    live: Option<&Value>,
    intent: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let shape = Shape::of(schema);
    if intent.at("metadata.managedFields").is_some() {
        return Err(ApplyError::Invalid("metadata.managedFields must be nil".to_owned()));
    }
    if !intent.is_object() {
        return Err(ApplyError::Invalid("the object to apply is no map".to_owned()));
    }
    let invalid = |why: String| ApplyError::Invalid(format!("failed to create typed patch object: {why}"));
    let intent = &*without_ignored(intent, manager.ignored);
    let named = walk::fields_of(shape, intent, walk::Trail::ROOT).map_err(invalid)?;
    let mut entries = live.map(managers::read).unwrap_or_default();
    adopt_untracked(shape, live, &mut entries, manager);
    let last = entries.iter().position(|entry| entry.is_of(manager)).map(|at| entries.remove(at));
    let merged = walk::merge(shape, live, intent).map_err(invalid)?;
    let mut made = match &last {
        Some(last) => pruned(shape, merged, &last.set, &named, &entries),
        None => merged,
    };
    let changed = settle_others(shape, live, &made, &mut entries, force)?;
    walk::drop_nulls(&mut made);
    let mut wanted = named;
    untrack(&mut wanted, manager.ignored);
    let mut entry = Entry::new(manager, wanted);
    if let Some(last) = last.filter(|last| !changed && last.set == entry.set && last.api_version == entry.api_version) {
        entry.time = last.time;
    }
    entries.push(entry);
    managers::write(&mut made, entries);
    Ok(made)
}

/// Records in `new` who owns what after a write that is not an apply.
///
/// `new` may carry `managedFields` of its own: they stand in for those of `old`; a single empty entry clears them.
pub fn track_update(schema: &'static Message, old: Option<&Value>, new: &mut Value, manager: &Manager<'_>) {
    let given = new.items("metadata.managedFields");
    let cleared = matches!(given, [one] if one.as_object().is_some_and(serde_json::Map::is_empty));
    let replaced = !given.is_empty() && old.is_none_or(|old| old.items("metadata.managedFields") != given);
    if cleared {
        new.unset("metadata.managedFields");
        return;
    }
    let mut changes = Changes::default();
    let nothing = Value::Object(serde_json::Map::new());
    walk::compare(Shape::of(schema), Some(old.unwrap_or(&nothing)), Some(new), &mut changes);
    for path in ["metadata.managedFields"].iter().chain(manager.ignored) {
        let path: Vec<&str> = path.split('.').collect();
        changes.removed.forget(&path);
    }
    untrack(&mut changes.set, manager.ignored);
    if changes.set.is_empty() && changes.removed.is_empty() && !replaced {
        restore(old, new);
        return;
    }
    let owner = if replaced { Some(&*new) } else { old };
    let mut entries = owner.map(managers::read).unwrap_or_default();
    for entry in &mut entries {
        if !entry.is_of(manager) {
            entry.set.subtract(&changes.set);
        }
        entry.set.subtract(&changes.removed);
    }
    own(&mut entries, manager, changes.set);
    managers::write(new, entries);
}

/// Gives `new` the `managedFields` of `old` when the two differ in nothing but the times there; true when they do not
/// differ at all then. To be called after defaults were set, so that a write that changes nothing stays one.
pub fn restore_times(old: &Value, new: &mut Value) -> bool {
    let timeless = |object: &Value| -> Vec<Value> {
        let mut entries = object.items("metadata.managedFields").to_vec();
        for entry in &mut entries {
            entry.unset("time");
        }
        let mut keyed: Vec<Value> = entries;
        keyed.sort_by_key(|entry| {
            format!("{}/{}/{}/{}", entry.text("operation"), entry.text("manager"), entry.text("apiVersion"), entry.text("subresource"))
        });
        keyed
    };
    if timeless(old) != timeless(new) {
        return false;
    }
    let theirs = new.at("metadata.managedFields").cloned();
    restore(Some(old), new);
    let same = *old == *new;
    if let (false, Some(theirs)) = (same, theirs) {
        new.set("metadata.managedFields", theirs);
    }
    same
}

fn restore(old: Option<&Value>, new: &mut Value) {
    match old.and_then(|old| old.at("metadata.managedFields")) {
        Some(fields) => new.set("metadata.managedFields", fields.clone()),
        None => drop(new.unset("metadata.managedFields")),
    }
}

// What the server itself writes is nobody's. Source: apimachinery `stripmeta.go`.
fn untrack(set: &mut FieldSet, ignored: &[&str]) {
    const NOBODY: &[&str] = &[
        "apiVersion",
        "kind",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    ];
    for path in NOBODY.iter().chain(ignored) {
        let path: Vec<&str> = path.split('.').collect();
        set.forget(&path);
    }
    set.forget_member(&["metadata"]);
}

fn without_ignored<'a>(intent: &'a Value, ignored: &[&str]) -> Cow<'a, Value> {
    if ignored.iter().all(|path| intent.at(path).is_none()) {
        return Cow::Borrowed(intent);
    }
    let mut intent = intent.clone();
    for path in ignored {
        intent.unset(path);
    }
    Cow::Owned(intent)
}

// An object from before tracking, or whose tracking was cleared: its fields are somebody's.
fn adopt_untracked(shape: Shape, live: Option<&Value>, entries: &mut Vec<Entry>, manager: &Manager<'_>) {
    let Some(live) = live.filter(|_| entries.is_empty()) else { return };
    let mut changes = Changes::default();
    walk::compare(shape, Some(&Value::Object(serde_json::Map::new())), Some(live), &mut changes);
    untrack(&mut changes.set, manager.ignored);
    let before = Manager { name: "before-first-apply", operation: Operation::Update, subresource: "", ..*manager };
    entries.push(Entry::new(&before, changes.set));
}

// Removes what the manager applied last time, does not apply now, and nobody else owns.
fn pruned(shape: Shape, merged: Value, last: &FieldSet, wanted: &FieldSet, others: &[Entry]) -> Value {
    let mut held = wanted.clone();
    for entry in others {
        held.unite(&entry.set);
    }
    let mut gone = walk::with_named(shape, last, &merged);
    gone.subtract(&walk::with_named(shape, &held, &merged));
    if gone.is_empty() {
        return merged;
    }
    walk::remove(shape, &merged, &gone)
}

// Takes changed fields from the other managers, or says whose they are; true when anything changed.
fn settle_others(shape: Shape, live: Option<&Value>, made: &Value, entries: &mut Vec<Entry>, force: bool) -> Result<bool, ApplyError> {
    let mut changes = Changes::default();
    walk::compare(shape, live, Some(made), &mut changes);
    let changed = !(changes.set.is_empty() && changes.removed.is_empty());
    let mut conflicts = Vec::new();
    for entry in entries.iter().filter(|_| changed && !force) {
        let paths = entry.set.intersection(&changes.set).paths();
        conflicts.extend(paths.into_iter().map(|path| Conflict { owner: entry.shown(), path }));
    }
    if !conflicts.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    for entry in entries.iter_mut().filter(|_| changed) {
        entry.set.subtract(&changes.set);
        entry.set.subtract(&changes.removed);
    }
    entries.retain(|entry| !entry.set.is_empty());
    Ok(changed)
}

fn own(entries: &mut Vec<Entry>, manager: &Manager<'_>, set: FieldSet) {
    if set.is_empty() {
        return;
    }
    match entries.iter_mut().find(|entry| entry.is_of(manager)) {
        Some(entry) => {
            entry.set.unite(&set);
            entry.time = manager.time.rfc3339();
        }
        None => entries.push(Entry::new(manager, set)),
    }
}

fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [one] = conflicts {
        return format!("Apply failed with 1 conflict: conflict with {}: {}", one.owner, one.path);
    }
    let mut owners: Vec<&str> = conflicts.iter().map(|conflict| conflict.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut lines = Vec::new();
    for owner in owners {
        lines.push(format!("conflicts with {owner}:"));
        lines.extend(conflicts.iter().filter(|conflict| conflict.owner == owner).map(|conflict| format!("- {}", conflict.path)));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}
