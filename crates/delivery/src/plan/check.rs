//! Whether a saved plan may still be applied: the world stands as it stood, and the cluster would do what the plan shows.

use super::saved::{PlanFile, SavedPlan, refused};
use super::{FieldChange, PlannedObject, compare};
use crate::deploy::Delivery;
use crate::inventory::Entry;
use crate::manifests::Release;
use crate::progress::Change;
use crate::redact;
use base::Problem;
use k8s::{Fields, Value};

impl Delivery {
    /// Whether the world stands as it stood when a plan was made.
    ///
    /// # Errors
    /// When it is for another cluster, the world has moved, with what moved, or it would do something else than it says.
    pub async fn check_plan(&self, file: &PlanFile) -> Result<(), Problem> {
        let plan = &file.plan;
        if plan.server != self.cluster.server() {
            let message = format!("the plan is for the cluster at {}, and this one is at {}", plan.server, self.cluster.server());
            return Err(refused(message).hint("pass the environment that it was made for with `--env`"));
        }
        let release = file.release();
        let inventory = self.inventory(&release).await?;
        if inventory.current.as_deref() == Some(release.id.as_str()) && plan.current != inventory.current {
            return Err(refused(format!("the plan was applied already: release {} serves", release.id)));
        }
        let mut moved: Vec<String> = Vec::new();
        if inventory.current != plan.current {
            let name = |release: &Option<String>| release.clone().unwrap_or_else(|| "none".to_owned());
            moved.push(format!("the release that serves: {} then, {} now", name(&plan.current), name(&inventory.current)));
        }
        let key = plan.key.clone().or_else(|| inventory.key.clone());
        let Some(key) = key else {
            let message = "the plan is stale: the project's inventory, by which it was made, is gone";
            return Err(refused(message).hint("make a new one with `wharf plan --out FILE`"));
        };
        for now in self.before(&release, &key).await? {
            let then = plan.before.iter().find(|before| before.object == now.object);
            // A namespace is made before anything in it can be asked for or held.
            if now.object == format!("Namespace {}", release.namespace) && then.is_some_and(|then| then.state.is_none()) {
                continue;
            }
            moved.extend(then.and_then(|then| changed(&now.object, then.state.as_ref(), now.state.as_ref())));
        }
        let surplus: Vec<String> =
            crate::prune::surplus(&inventory, &release.intents_as_entries()).0.iter().map(Entry::to_string).collect();
        let planned: Vec<&str> = plan.plan.pruned().collect();
        if surplus.iter().map(String::as_str).ne(planned.iter().copied()) {
            moved.push(format!("what is to be removed: {} then, {} now", named(&planned), named(&surplus)));
        }
        if !moved.is_empty() {
            return Err(refused(format!("the plan is stale: {}", moved.join("; "))).hint("make a new one with `wharf plan --out FILE`"));
        }
        self.does_what_it_says(plan, &release).await
    }

    /// What a person read and signed is what was shown, and that is not what is applied: both must say the same.
    async fn does_what_it_says(&self, plan: &SavedPlan, release: &Release) -> Result<(), Problem> {
        let shown: Vec<&PlannedObject> = plan.plan.objects.iter().filter(|object| object.change != Change::Pruned).collect();
        let would: Vec<PlannedObject> = self.plan_objects(release, true).await?;
        let mut other: Vec<&str> =
            would.iter().filter(|now| !shown.iter().any(|then| says_the_same(then, now))).map(|now| &*now.object).collect();
        other.extend(shown.iter().filter(|then| !would.iter().any(|now| now.object == then.object)).map(|then| &*then.object));
        if other.is_empty() {
            return Ok(());
        }
        Err(refused(format!("the plan says one thing and would do another: {}", other.join(", ")))
            .hint("somebody put it together by hand; make a new one with `wharf plan --out FILE`"))
    }
}

/// Whether two looks at an object tell the same change. What changes has ports of nodes that nobody asked for, others with each look, and
/// a namespace may have been made since.
fn says_the_same(then: &PlannedObject, now: &PlannedObject) -> bool {
    let asked = |object: &PlannedObject| -> Vec<FieldChange> {
        let fields = object.fields.iter().filter(|field| !field.path.ends_with(".nodePort")).cloned();
        fields.map(|field| FieldChange { after: field.after.map(without_node_ports), ..field }).collect()
    };
    let same = match (then.change, now.change) {
        (Change::Created, Change::Created) => then.fields == now.fields,
        (Change::Created, _) => then.object.starts_with("Namespace "),
        (before, after) => before == after && asked(then) == asked(now),
    };
    then.object == now.object && same
}

fn without_node_ports(mut value: Value) -> Value {
    for port in value.as_array_mut().into_iter().flatten() {
        port.unset("nodePort");
    }
    value
}

fn named(names: &[impl AsRef<str>]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ") }
}

/// What of an object moved, in a few words.
fn changed(object: &str, then: Option<&Value>, now: Option<&Value>) -> Option<String> {
    match (then, now) {
        (None, None) => None,
        (None, Some(_)) => Some(format!("{object} is there now")),
        (Some(_), None) => Some(format!("{object} is gone")),
        (Some(then), Some(now)) => {
            let mut changes = Vec::new();
            compare(String::new(), Some(then), Some(now), &mut changes);
            let hushed = |value: &Option<Value>| value.as_ref().map(redact::shown);
            let hushed =
                |change: &FieldChange| FieldChange { before: hushed(&change.before), after: hushed(&change.after), ..change.clone() };
            let shown: Vec<String> = changes.iter().take(3).map(|change| hushed(change).to_string()).collect();
            let more = changes.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (!shown.is_empty()).then(|| format!("{object} ({}{more})", shown.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::saved::state;
    use super::*;
    use crate::redact::Key;
    use oci::Digest;
    use serde_json::json;
    use std::slice::from_ref;

    #[test]
    fn what_is_told_of_an_object_is_compared_whole() {
        let field = |path: &str, after: Value| FieldChange { path: path.to_owned(), before: None, after: Some(after) };
        let look =
            |object: &str, change, fields: &[FieldChange]| PlannedObject { object: object.to_owned(), change, fields: fields.to_vec() };
        let (port, other) = (field("spec.ports[0].nodePort", json!(30001)), field("spec.ports[0].nodePort", json!(30002)));
        let kind = field("spec.type", json!("NodePort"));
        let whole = |number| field("spec.ports", json!([{"port": 80, "nodePort": number}]));
        let enforced = field("metadata.labels.pod-security.kubernetes.io/enforce", json!("privileged"));
        for (then, now, same) in [
            (
                look("Service p/s", Change::Changed, &[kind.clone(), port.clone()]),
                look("Service p/s", Change::Changed, &[kind.clone(), other.clone()]),
                true,
            ),
            (look("Service p/s", Change::Changed, &[whole(1)]), look("Service p/s", Change::Changed, &[whole(2)]), true),
            (look("Service p/s", Change::Created, &[port]), look("Service p/s", Change::Created, &[other]), false),
            (look("Service p/s", Change::Changed, &[]), look("Service p/s", Change::Changed, from_ref(&kind)), false),
            (look("Service p/s", Change::Created, from_ref(&kind)), look("Service p/s", Change::Changed, from_ref(&kind)), false),
            (look("Namespace p", Change::Created, &[]), look("Namespace p", Change::Created, from_ref(&enforced)), false),
            (look("Namespace p", Change::Created, &[enforced]), look("Namespace p", Change::Unchanged, &[]), true),
        ] {
            assert_eq!(says_the_same(&then, &now), same, "{then:?} {now:?}");
        }
    }

    #[test]
    fn what_moved_is_named_and_secrets_are_not() {
        let key = Key::random();
        let applied = |value: &str| json!({"kubectl.kubernetes.io/last-applied-configuration": value});
        let secret = |value: &str| {
            let metadata = json!({"resourceVersion": "1", "annotations": applied(value)});
            state(&json!({"kind": "Secret", "metadata": metadata, "data": {"token": value}, "stringData": value}), &key)
        };
        let kept = secret("aaaa").to_string();
        let unkeyed = ["aaaa", "\"aaaa\""].map(|guess| Digest::of(guess.as_bytes()).hex());
        assert!(!kept.contains("aaaa") && !unkeyed.iter().any(|guess| kept.contains(guess)), "{kept}");
        let told = changed("Secret p/s", Some(&secret("aaaa")), Some(&secret("bbbb"))).expect("moved");
        assert!(told.contains("data.token: \"(hidden)\" -> \"(hidden)\"") && !told.contains("aaaa") && !told.contains("bbbb"), "{told}");
        assert_eq!(changed("x", Some(&secret("a")), Some(&secret("a"))), None);
        let replicas = |count: i64| json!({"spec": {"replicas": count}});
        assert_eq!(changed("D", Some(&replicas(2)), Some(&replicas(5))).as_deref(), Some("D (spec.replicas: 2 -> 5)"));
        assert_eq!(changed("D", None, Some(&replicas(5))).as_deref(), Some("D is there now"));
    }
}
