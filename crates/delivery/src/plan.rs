//! What a deploy would change, asked of the cluster itself by a dry run.

pub mod approval;
mod check;
pub mod saved;

use crate::apply::{self, Target};
use crate::deploy::Delivery;
use crate::manifests::{MANAGER, Release};
use crate::progress::Change;
use crate::prune;
use crate::records::{Fate, Record};
use crate::redact;
use base::{Finding, Place, Problem, Severity};
use cluster::Apply;
use futures::{StreamExt, TryStreamExt, stream};
use k8s::{Fields, Value};

/// One field that would change.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FieldChange {
    /// Its path: `spec.template.spec.containers[0].image`.
    pub path: String,
    /// As it is; absent where it is new.
    pub before: Option<Value>,
    /// As it would be; absent where it goes.
    pub after: Option<Value>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlannedObject {
    /// Such as `Deployment jobs/app-a`.
    pub object: String,
    /// What would become of it.
    pub change: Change,
    /// Which fields; secrets' values are told apart and never shown.
    pub fields: Vec<FieldChange>,
}

/// What a deploy would do.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Plan {
    /// The release's id.
    pub release: String,
    /// Every object, in the order of the manifests; those to prune last.
    pub objects: Vec<PlannedObject>,
    /// What no manifest names and would stay, and why.
    pub kept: Vec<(String, String)>,
    /// What was added to the manifests, what the cluster lacks, and what else should be known.
    pub notes: Vec<Finding>,
}

impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {} -> {}", self.path, short(before), short(after)),
            (None, Some(after)) => write!(f, "{}: {} (new)", self.path, short(after)),
            (Some(before), None) => write!(f, "{}: {} (gone)", self.path, short(before)),
            (None, None) => f.write_str(&self.path),
        }
    }
}

/// A value in one line of bounded length.
fn short(value: &Value) -> String {
    const LONGEST: usize = 160;
    let text = value.to_string();
    if text.chars().count() > LONGEST { format!("{}...", text.chars().take(LONGEST).collect::<String>()) } else { text }
}

impl Plan {
    /// The objects that go, in the order of their going.
    pub fn pruned(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().filter(|object| object.change == Change::Pruned).map(|object| object.object.as_str())
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.objects.iter().all(|object| object.change == Change::Unchanged)
    }
}

impl Delivery {
    /// Plans a deploy; nothing is changed.
    ///
    /// # Errors
    /// When the cluster would refuse an object, or cannot be reached.
    pub async fn plan(&self, release: &Release, force: bool) -> Result<Plan, Problem> {
        let inventory = self.inventory(release).await?;
        let mut objects = self.plan_objects(release, force).await?;
        let (gone, kept) = prune::surplus(&inventory, &release.intents_as_entries());
        objects.extend(gone.iter().map(|entry| PlannedObject { object: entry.to_string(), change: Change::Pruned, fields: Vec::new() }));
        let kept = kept.into_iter().map(|(entry, why)| (entry.to_string(), why.to_owned())).collect();
        let mut notes = release.notes.clone();
        notes.extend(self.preflight(release).await?);
        notes.extend(self.failed_before(release).await?);
        Ok(Plan { release: release.id.clone(), objects, kept, notes })
    }

    /// What would become of the release's own objects.
    async fn plan_objects(&self, release: &Release, force: bool) -> Result<Vec<PlannedObject>, Problem> {
        let targets = apply::read(&self.cluster, release).await?;
        let asked = targets.iter().map(|target| self.plan_one(target, release, force));
        stream::iter(asked).buffered(6).try_collect().await
    }

    /// A release that failed once is likely to do so again.
    async fn failed_before(&self, release: &Release) -> Result<Option<Finding>, Problem> {
        let record = Record::load(&self.cluster, &release.namespace, &release.project, &release.id).await?;
        Ok(record.filter(|record| record.fate == Fate::Failed).map(|record| {
            let cause = record.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("release {} failed before, at {}{cause}", record.id, record.created);
            Finding::new("failed-before", Severity::Warning, Place::default(), message)
        }))
    }

    async fn plan_one(&self, target: &Target, release: &Release, force: bool) -> Result<PlannedObject, Problem> {
        let how = Apply { manager: MANAGER, force, dry_run: true };
        let answer = self.cluster.apply(&target.resource, &target.intent, &how).await;
        let after = match answer {
            Ok(after) => after,
            // In a namespace that is to be made nothing can be tried.
            Err(error) if target.live.is_none() && error.is_not_found() && target.intent.namespace() == release.namespace => {
                target.intent.clone()
            }
            Err(error) => return Err(Problem::from(error)),
        };
        // Of a new object what is asked for is told; what the cluster makes of it, such as addresses, differs with each try.
        let Some(live) = &target.live else {
            return Ok(PlannedObject { object: target.shown(), change: Change::Created, fields: created(&target.intent) });
        };
        let fields = differences(Some(live), &after);
        let change = if fields.is_empty() { Change::Unchanged } else { Change::Changed };
        Ok(PlannedObject { object: target.shown(), change, fields })
    }
}

/// An object without what the server keeps for itself.
fn strip(object: &Value) -> Value {
    let mut object = object.clone();
    for path in [
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.uid",
        "metadata.creationTimestamp",
        "status",
    ] {
        object.unset(path);
    }
    if object.text("kind") == "Secret"
        && let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
    {
        // kubectl's copy of all values.
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

/// All that a new object says of itself.
fn created(intent: &Value) -> Vec<FieldChange> {
    let is_secret = intent.text("kind") == "Secret";
    let mut intent = strip(intent);
    // Its name says these.
    for path in ["apiVersion", "kind", "metadata.name", "metadata.namespace"] {
        intent.unset(path);
    }
    let mut fields = Vec::new();
    leaves(String::new(), &intent, &mut fields);
    if is_secret {
        hide(&mut fields);
    }
    fields
}

/// Puts a word in the place of a Secret's values; kubectl keeps a copy of them in an annotation.
fn hide(changes: &mut [FieldChange]) {
    for change in changes.iter_mut().filter(|change| redact::hides(&change.path)) {
        for value in [&mut change.before, &mut change.after].into_iter().flatten() {
            *value = Value::from("(hidden)");
        }
    }
}

fn leaves(path: String, value: &Value, fields: &mut Vec<FieldChange>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                leaves(if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, fields);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                leaves(format!("{path}[{at}]"), item, fields);
            }
        }
        _ => fields.push(FieldChange { path, before: None, after: Some(value.clone()) }),
    }
}

/// The fields in which two states differ, but for what the server keeps for itself.
pub fn differences(before: Option<&Value>, after: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let after = strip(after);
    compare(String::new(), before.map(strip).as_ref(), Some(&after), &mut changes);
    if after.text("kind") == "Secret" {
        hide(&mut changes);
    }
    changes
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(below, old.get(name), new.get(name), changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                compare(format!("{path}[{at}]"), Some(old), Some(new), changes);
            }
        }
        _ => changes.push(FieldChange { path, before: before.cloned(), after: after.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_the_fields_and_hides_secrets() {
        let before =
            json!({"kind": "X", "metadata": {"resourceVersion": "1", "labels": {"a": "1"}}, "spec": {"list": [{"image": "a"}], "n": 1}});
        let after = json!({"kind": "X", "metadata": {"resourceVersion": "2", "labels": {"a": "1"}}, "spec": {"list": [{"image": "b"}]}});
        let changes = differences(Some(&before), &after);
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, ["spec.list[0].image", "spec.n"]);
        let secret = |value: &str| json!({"kind": "Secret", "data": {"token": value}});
        let changes = differences(Some(&secret("aaa")), &secret("bbb"));
        assert_eq!(changes[0].after, Some(json!("(hidden)")));
        assert!(differences(Some(&before), &before).is_empty());
        let kept = json!({"kind": "Secret", "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "ccc"}}, "data": {"a": "bbb"}});
        let told = serde_json::to_string(&(created(&kept), differences(Some(&secret("aaa")), &kept))).expect("JSON");
        assert!(!["aaa", "bbb", "ccc"].iter().any(|value| told.contains(value)), "{told}");
        let new = created(&json!({"kind": "X", "metadata": {"name": "n", "labels": {}}, "spec": {"list": [{"a": 1}, 2]}}));
        let lines: Vec<String> = new.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["metadata.labels: {} (new)", "spec.list[0].a: 1 (new)", "spec.list[1]: 2 (new)"]);
    }
}
