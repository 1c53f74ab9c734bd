//! The RFCs' own examples, the directives, and the ways kubectl patches.

use super::*;
use crate::generated::apps_v1::DEPLOYMENT;
use crate::object::{Fields, Value};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn json_patch_as_rfc_6902_appendix_a() {
    for (document, patch, wanted) in [
        (json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz", "value": "qux"}]), json!({"foo": "bar", "baz": "qux"})),
        (json!({"foo": ["bar", "baz"]}), json!([{"op": "add", "path": "/foo/1", "value": "qux"}]), json!({"foo": ["bar", "qux", "baz"]})),
        (json!({"baz": "qux", "foo": "bar"}), json!([{"op": "remove", "path": "/baz"}]), json!({"foo": "bar"})),
        (json!({"foo": ["bar", "qux", "baz"]}), json!([{"op": "remove", "path": "/foo/1"}]), json!({"foo": ["bar", "baz"]})),
        (json!({"baz": "qux"}), json!([{"op": "replace", "path": "/baz", "value": "boo"}]), json!({"baz": "boo"})),
        (json!({"foo": {"a": 1}, "b": {}}), json!([{"op": "move", "from": "/foo/a", "path": "/b/c"}]), json!({"foo": {}, "b": {"c": 1}})),
        (
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
            json!({"foo": ["all", "cows", "eat", "grass"]}),
        ),
        (
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
            json!({"foo": ["bar", ["abc", "def"]]}),
        ),
        (json!({"/": 9, "~1": 10}), json!([{"op": "test", "path": "/~01", "value": 10}]), json!({"/": 9, "~1": 10})),
        (
            json!({"a": 1}),
            json!([{"op": "copy", "from": "/a", "path": "/b"}, {"op": "test", "path": "/b", "value": 1.0}]),
            json!({"a": 1, "b": 1}),
        ),
        (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": []}]), json!([])),
    ] {
        assert_eq!(json_patch(&document, &patch), Ok(wanted), "{patch}");
    }
}

#[test]
fn json_patch_refuses() {
    for (patch, code) in [
        (json!([{"op": "add", "path": "/none/b", "value": 1}]), 422),
        (json!([{"op": "test", "path": "/a", "value": "10"}]), 422),
        (json!([{"op": "remove", "path": "/nope"}]), 422),
        (json!([{"op": "add", "path": "/l/9", "value": 1}]), 422),
        (json!([{"op": "add", "path": "/l/01", "value": 1}]), 422),
        (json!([{"op": "move", "from": "/o", "path": "/o/x"}]), 422),
        (json!([{"op": "spin", "path": "/a"}]), 400),
        (json!([{"op": "add", "path": "/a"}]), 400),
        (json!([{"op": "add", "path": "a", "value": 1}]), 400),
        (json!({"op": "add"}), 400),
    ] {
        let error = json_patch(&json!({"a": 10, "l": [1], "o": {}}), &patch).expect_err("refused");
        assert_eq!(error.code, code, "{patch}: {error}");
    }
    let bomb: Vec<Value> = (0..60).map(|at| json!({"op": "copy", "from": "", "path": format!("/b{at}")})).collect();
    assert_eq!(json_patch(&json!({"a": [1, 2, 3]}), &json!(bomb)).expect_err("a bomb").code, 422);
}

#[test]
fn merge_patch_as_rfc_7386_appendix_a() {
    for (target, patch, wanted) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        assert_eq!(merge_patch(&target, &patch), wanted, "{patch}");
    }
}

fn containers(object: &Value) -> &[Value] {
    object.items("spec.template.spec.containers")
}

fn with_containers(containers: &Value) -> Value {
    json!({"metadata": {"name": "web", "finalizers": ["a", "b", "c"]}, "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "template": {"spec": {"containers": containers, "nodeSelector": {"a": "1", "b": "2"}}}}})
}

fn patched(live: &Value, patch: &Value) -> Value {
    strategic(&DEPLOYMENT, live, patch).expect("patched")
}

#[test]
fn set_image_touches_one_container() {
    let live = with_containers(&json!([{"name": "a", "image": "1", "command": ["x"]}, {"name": "b", "image": "1"}]));
    let patch = json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "b", "image": "2"}]}}}});
    assert_eq!(
        containers(&patched(&live, &patch)),
        [json!({"name": "a", "image": "1", "command": ["x"]}), json!({"name": "b", "image": "2"})]
    );
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "2", "command": ["y", "z"]}, {"name": "n", "image": "3"}]}}}});
    let made = patched(&live, &patch);
    let names: Vec<&str> = containers(&made).iter().map(|item| item.text("name")).collect();
    assert_eq!(names, ["a", "n", "b"]);
}

#[test]
fn directives() {
    let live = with_containers(&json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
    let under = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    let deleted = patched(&live, &under(json!({"containers": [{"name": "a", "$patch": "delete"}]})));
    assert_eq!(containers(&deleted), [json!({"name": "b", "image": "1"})]);
    let replaced = patched(&live, &under(json!({"containers": [{"$patch": "replace"}, {"name": "c"}]})));
    assert_eq!(containers(&replaced), [json!({"name": "c"})]);
    let map = patched(&live, &under(json!({"nodeSelector": {"$patch": "replace", "z": "9"}})));
    assert_eq!(map.at("spec.template.spec.nodeSelector"), Some(&json!({"z": "9"})));
    let emptied = patched(&live, &under(json!({"nodeSelector": {"$patch": "delete"}})));
    assert_eq!(emptied.at("spec.template.spec.nodeSelector"), Some(&json!({})));
    let list = patched(
        &live,
        &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"], "$setElementOrder/finalizers": ["d", "c", "a"]}}),
    );
    assert_eq!(list.at("metadata.finalizers"), Some(&json!(["d", "c", "a"])));
    let recreate = patched(&live, &json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}));
    assert_eq!(recreate.at("spec.strategy"), Some(&json!({"type": "Recreate"})));
    let reordered = patched(&live, &under(json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})));
    assert_eq!(containers(&reordered).first().map(|first| first.text("name")), Some("b"));
}

#[test]
fn wrong_directives_are_refused() {
    let live = with_containers(&json!([{"name": "a", "image": "1"}]));
    let under = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    for (patch, code) in [
        (under(json!({"containers": [{"image": "2"}]})), 422),
        (under(json!({"containers": [{"$patch": "explode", "name": "a"}]})), 400),
        (under(json!({"containers": [["a"]]})), 422),
        (under(json!({"nodeSelector": {"$patch": "never"}})), 400),
        (under(json!({"$setElementOrder/containers": [{"name": "z"}], "containers": [{"name": "a"}]})), 400),
        (json!({"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}}), 400),
        (json!([]), 400),
    ] {
        assert_eq!(strategic(&DEPLOYMENT, &live, &patch).expect_err("refused").code, code, "{patch}");
    }
}

#[test]
fn a_three_way_apply_and_an_edit_by_another() {
    // Applied with two variables; somebody added a third; the next apply drops one and changes one.
    let env = |pairs: &[(&str, &str)]| -> Value { pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect() };
    let live = with_containers(&json!([{"name": "a", "env": env(&[("A", "1"), ("B", "1"), ("THEIRS", "1")])}]));
    let patch = json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a",
        "$setElementOrder/env": [{"name": "A"}], "env": [{"name": "A", "value": "2"}, {"$patch": "delete", "name": "B"}]}]}}}});
    let made = patched(&live, &patch);
    assert_eq!(containers(&made)[0]["env"], env(&[("A", "2"), ("THEIRS", "1")]));
    assert_eq!(patched(&made, &patch), made, "the same patch again changes nothing");
}

proptest! {
    #[test]
    fn never_panics(live in crate::apply::tests::any_json(), patch in crate::apply::tests::any_json()) {
        let _ = strategic(&DEPLOYMENT, &live, &patch);
        let _ = merge_patch(&live, &patch);
        let _ = json_patch(&live, &patch);
        if let Ok(made) = strategic(&DEPLOYMENT, &live, &patch) {
            prop_assert!(!made.to_string().contains("\"$setElementOrder"), "{}", made);
        }
    }

    #[test]
    fn a_merge_patch_of_itself_changes_nothing(document in crate::apply::tests::object()) {
        prop_assert_eq!(merge_patch(&document, &document), document);
    }

    #[test]
    fn a_strategic_patch_of_itself_changes_nothing(document in crate::apply::tests::object()) {
        prop_assert_eq!(patched(&document, &document), document);
    }
}
