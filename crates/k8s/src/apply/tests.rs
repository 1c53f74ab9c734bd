//! Ownership, conflicts, pruning, and what must hold for any two objects.

use super::*;
use crate::generated::apps_v1::DEPLOYMENT;
use proptest::prelude::*;
use serde_json::json;

fn by(name: &str, operation: Operation, second: i64) -> Manager<'_> {
    Manager {
        name,
        operation,
        api_version: "apps/v1",
        subresource: "",
        time: Timestamp::from_micros(second * 1_000_000),
        ignored: &["status"],
    }
}

fn applied(live: Option<&Value>, intent: &Value, name: &str, second: i64) -> Value {
    apply(&DEPLOYMENT, live, intent, &by(name, Operation::Apply, second), false).expect("applied")
}

fn intent() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "a", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]}]}}}})
}

fn entry<'a>(object: &'a Value, manager: &str) -> &'a Value {
    object.items("metadata.managedFields").iter().find(|entry| entry.text("manager") == manager).expect("an entry")
}

#[test]
fn names_the_fields_of_an_intent_as_the_real_server_does() {
    let made = applied(None, &intent(), "wharf", 1);
    let fields = entry(&made, "wharf").member("fieldsV1").expect("fields").clone();
    let container = json!({"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {},
        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
        "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}}}});
    let wanted = json!({"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:replicas": {}, "f:selector": {},
        "f:template": {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:containers": container}}}});
    assert_eq!(fields, wanted);
    assert_eq!(entry(&made, "wharf").text("time"), "1970-01-01T00:00:01Z");
}

#[test]
fn a_second_apply_changes_nothing() {
    let first = applied(None, &intent(), "wharf", 1);
    assert_eq!(applied(Some(&first), &intent(), "wharf", 99), first);
}

#[test]
fn fields_no_longer_applied_go_unless_another_owns_them() {
    let first = applied(None, &intent(), "wharf", 1);
    let theirs = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}});
    let both = applied(Some(&first), &theirs, "scaler", 2);
    let mut less = intent();
    less.unset("spec.replicas");
    less["spec"]["template"]["spec"]["containers"][0].unset("env");
    let third = applied(Some(&both), &less, "wharf", 3);
    assert_eq!(third.int("spec.replicas"), Some(2), "the scaler owns it too");
    assert!(third.at("spec.template.spec").expect("spec").items("containers").first().expect("one").at("env").is_none());
    let gone = applied(Some(&third), &json!({"metadata": {"name": "web"}}), "scaler", 4);
    assert!(gone.at("spec.replicas").is_none(), "nobody owns it any more");
    assert!(gone.at("spec.selector").is_some());
}

#[test]
fn conflicts_name_manager_version_and_path_and_force_takes_over() {
    let first = applied(None, &intent(), "wharf", 1);
    let mut scaled = first.clone();
    scaled["spec"]["replicas"] = json!(5);
    track_update(&DEPLOYMENT, Some(&first), &mut scaled, &by("kubectl", Operation::Update, 2));
    let owner = entry(&scaled, "kubectl");
    assert_eq!(owner["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    assert!(entry(&scaled, "wharf")["fieldsV1"]["f:spec"].get("f:replicas").is_none(), "taken by the update");
    let manager = by("wharf", Operation::Apply, 3);
    let error = apply(&DEPLOYMENT, Some(&scaled), &intent(), &manager, false).expect_err("a conflict");
    assert_eq!(error.to_string(), "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas");
    let answer = ApiError::from(error);
    assert_eq!((answer.code, answer.reason, answer.causes.len()), (409, "Conflict", 1));
    let forced = apply(&DEPLOYMENT, Some(&scaled), &intent(), &manager, true).expect("forced");
    assert_eq!(forced.int("spec.replicas"), Some(2));
    assert_eq!(forced.items("metadata.managedFields").len(), 1, "the other owns nothing any more");
}

#[test]
fn an_equal_value_is_shared_without_a_conflict() {
    let first = applied(None, &intent(), "wharf", 1);
    let second = applied(Some(&first), &intent(), "other", 2);
    assert_eq!(second.items("metadata.managedFields").len(), 2);
    assert_eq!(applied(Some(&second), &intent(), "wharf", 3), second);
}

#[test]
fn updates_own_added_items_whole_and_lose_what_they_remove() {
    let mut made = intent();
    track_update(&DEPLOYMENT, None, &mut made, &by("kubectl-create", Operation::Update, 1));
    let fields = &entry(&made, "kubectl-create")["fieldsV1"];
    assert_eq!(fields["f:metadata"], json!({"f:labels": {".": {}, "f:app": {}}}));
    assert!(fields["f:spec"].get(".").is_none(), "spec is always there");
    let containers = &fields["f:spec"]["f:template"]["f:spec"]["f:containers"];
    assert!(containers.get(".").is_none(), "the list is always there");
    assert_eq!(containers["k:{\"name\":\"web\"}"]["f:ports"]["."], json!({}));
    let mut less = made.clone();
    less["metadata"].unset("labels");
    track_update(&DEPLOYMENT, Some(&made), &mut less, &by("editor", Operation::Update, 2));
    assert!(entry(&less, "kubectl-create")["fieldsV1"].get("f:metadata").is_none());
    assert_eq!(less.items("metadata.managedFields").len(), 1, "who only removes owns nothing");
}

#[test]
fn a_write_that_changes_nothing_keeps_the_owners() {
    let first = applied(None, &intent(), "wharf", 1);
    let mut same = first.clone();
    same.unset("metadata.managedFields");
    track_update(&DEPLOYMENT, Some(&first), &mut same, &by("kubectl", Operation::Update, 2));
    assert_eq!(same, first);
    let mut later = first.clone();
    later["metadata"]["managedFields"][0]["time"] = json!("2030-01-01T00:00:00Z");
    assert!(restore_times(&first, &mut later));
    assert_eq!(later, first);
}

#[test]
fn untracked_objects_and_cleared_owners() {
    let mut first = applied(None, &intent(), "wharf", 1);
    let mut cleared = first.clone();
    cleared["metadata"]["managedFields"] = json!([{}]);
    track_update(&DEPLOYMENT, Some(&first), &mut cleared, &by("kubectl", Operation::Update, 2));
    assert!(cleared.at("metadata.managedFields").is_none());
    first.unset("metadata.managedFields");
    let mut other = intent();
    other["spec"]["replicas"] = json!(9);
    let error = apply(&DEPLOYMENT, Some(&first), &other, &by("wharf", Operation::Apply, 2), false).expect_err("owned before");
    assert!(error.to_string().contains("before-first-apply"), "{error}");
}

#[test]
fn old_updaters_are_folded() {
    let mut object = json!({"metadata": {"name": "x"}});
    for at in 0..14 {
        let mut next = object.clone();
        next["metadata"]["labels"][format!("l{at}")] = json!("v");
        track_update(&DEPLOYMENT, Some(&object), &mut next, &by(&format!("m{at}"), Operation::Update, at));
        object = next;
    }
    let managers: Vec<&str> = object.items("metadata.managedFields").iter().map(|entry| entry.text("manager")).collect();
    assert_eq!(managers.len(), 10);
    assert!(managers.contains(&"ancient-changes") && managers.contains(&"m13"), "{managers:?}");
}

#[test]
fn items_keep_their_places() {
    let item = |name: &str| json!({"name": name, "value": "1"});
    let with = |names: &[&str]| {
        let mut object = intent();
        object["spec"]["template"]["spec"]["containers"][0]["env"] = names.iter().map(|name| item(name)).collect();
        object
    };
    let names = |object: &Value| -> Vec<String> {
        object["spec"]["template"]["spec"]["containers"][0].items("env").iter().map(|item| item.text("name").to_owned()).collect()
    };
    let mut live = applied(None, &with(&["A", "B", "C"]), "one", 1);
    live = apply(&DEPLOYMENT, Some(&live), &with(&["X", "C", "Y"]), &by("two", Operation::Apply, 2), false).expect("applied");
    assert_eq!(names(&live), ["A", "B", "X", "C", "Y"]);
    let reordered = applied(Some(&live), &with(&["C", "A", "B"]), "one", 3);
    assert_eq!(names(&reordered).len(), 5);
}

#[test]
fn refuses_what_it_cannot_read() {
    let manager = by("wharf", Operation::Apply, 1);
    let mut twice = intent();
    twice["spec"]["template"]["spec"]["containers"] = json!([{"name": "a"}, {"name": "a"}]);
    let mut nameless = intent();
    nameless["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"value": "x"}]);
    let mut owned = intent();
    owned["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    for wrong in [twice, nameless, owned, json!([])] {
        assert!(matches!(apply(&DEPLOYMENT, None, &wrong, &manager, false), Err(ApplyError::Invalid(_))), "{wrong}");
    }
}

fn label() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[ab]", "[xy]", 0..3).prop_map(|map| json!(map))
}

fn env() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[A-D]", "[xy]", 0..4)
        .prop_map(|map| map.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect())
}

/// An object whose members come and go.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    use prop::option::of as some;
    (some(label()), some(0..4i64), some(env()), some(prop::collection::btree_set("[fg]", 0..3)), prop::bool::ANY).prop_map(
        |(labels, replicas, env, finalizers, container)| {
            let mut made = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
            if let Some(labels) = labels {
                made.set("metadata.labels", labels);
            }
            if let Some(replicas) = replicas {
                made.set("spec.replicas", replicas);
            }
            if let Some(finalizers) = finalizers {
                made.set("metadata.finalizers", json!(finalizers));
            }
            if container {
                made.set("spec.template.spec.containers", json!([{"name": "c", "image": "i"}]));
                if let Some(env) = env {
                    made["spec"]["template"]["spec"]["containers"][0]["env"] = env;
                }
            }
            made
        },
    )
}

/// Any JSON, of names that mean something.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        "[a-c]?".prop_map(Value::from)
    ];
    let name = prop::sample::select(vec![
        "metadata",
        "spec",
        "template",
        "containers",
        "env",
        "ports",
        "name",
        "labels",
        "finalizers",
        "$patch",
        "managedFields",
        "containerPort",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..4).prop_map(|map| json!(map))
        ]
    })
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(live in object(), intent in object(), other in object()) {
        let mut start = live;
        track_update(&DEPLOYMENT, None, &mut start, &by("maker", Operation::Update, 1));
        let apply = |live: &Value, intent: &Value, name: &str, second: i64, force: bool| {
            let mut made = apply(&DEPLOYMENT, Some(live), intent, &by(name, Operation::Apply, second), force).expect("no conflict");
            // As the server does with what it stores: emptied members are not kept, times only move with a change.
            crate::fields::settle(&DEPLOYMENT, &mut made);
            restore_times(live, &mut made);
            made
        };
        let start = apply(&start, &other, "other", 2, true);
        let once = apply(&start, &intent, "wharf", 3, true);
        let twice = apply(&once, &intent, "wharf", 4, false);
        prop_assert_eq!(&twice, &once);
        for path in ["spec.replicas", "metadata.labels"] {
            let wanted = intent.at(path);
            prop_assert!(wanted.is_none_or(|wanted| wanted.is_object() || once.at(path) == Some(wanted)), "{}", once);
        }
    }

    #[test]
    fn what_one_applies_and_gives_up_is_gone(intent in object()) {
        let base = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}});
        let made = applied(Some(&applied(None, &base, "base", 1)), &intent, "wharf", 1);
        let back = applied(Some(&made), &base, "wharf", 2);
        let mut bare = back.clone();
        bare.unset("metadata.managedFields");
        prop_assert!(bare.at("spec.replicas").is_none() && bare.at("metadata.labels").is_none_or(|labels| labels == &json!({})), "{}", bare);
    }

    #[test]
    fn never_panics(live in any_json(), intent in any_json(), update in any_json()) {
        let _ = apply(&DEPLOYMENT, Some(&live), &intent, &by("a", Operation::Apply, 1), false);
        if let Ok(made) = apply(&DEPLOYMENT, None, &intent, &by("a", Operation::Apply, 1), false) {
            let mut update = update;
            track_update(&DEPLOYMENT, Some(&made), &mut update, &by("b", Operation::Update, 2));
        }
    }
}
