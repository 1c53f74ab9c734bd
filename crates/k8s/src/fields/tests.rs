//! Tests of reading by the table.

use super::*;
use crate::generated::{apps_v1, core_v1};
use serde_json::json;

fn problems(message: &'static Message, text: &str) -> Vec<String> {
    read(message, text.as_bytes()).expect("readable").problems.iter().map(ToString::to_string).collect()
}

#[test]
fn names_unknown_and_double_fields_in_order() {
    let text = r#"{"kind":"Deployment","spec":{"template":{"spec":{"containers":[{"name":"a"},{"imagge":"x","name":"b","name":"c"}]}},"foo":{"x":1}},"metadata":{"labels":{"a":"1","a":"2"}}}"#;
    let told = problems(&apps_v1::DEPLOYMENT, text);
    let wanted = [
        r#"unknown field "spec.template.spec.containers[1].imagge""#,
        r#"duplicate field "spec.template.spec.containers[1].name""#,
        r#"unknown field "spec.foo""#,
        r#"duplicate field "metadata.labels.a""#,
    ];
    assert_eq!(told, wanted);
}

#[test]
fn says_wrong_types_as_go_does() {
    for (text, wanted) in [
        (r#"{"spec":{"hostNetwork":"yes"}}"#, "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
        (
            r#"{"spec":{"containers":{}}}"#,
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            r#"{"spec":{"priority":3000000000}}"#,
            "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            r#"{"metadata":{"labels":{"a":1}}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        ("[]", "json: cannot unmarshal array into Go value of type v1.Pod"),
        (
            r#"{"spec":{"overhead":{"cpu":"x"}}}"#,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ] {
        assert_eq!(read(&core_v1::POD, text.as_bytes()).expect_err(text).0, wanted);
    }
}

#[test]
fn prunes_and_writes_canonical_scalars() {
    let text = r#"{"spec":{"x":1,"containers":[{"name":"a","resources":{"limits":{"cpu":0.5,"memory":"1024Mi"}}}]},"metadata":{"creationTimestamp":"2026-01-01T02:00:00+02:00"}}"#;
    let checked = read(&core_v1::POD, text.as_bytes()).expect("readable");
    let wanted = json!({
        "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]},
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
    });
    assert_eq!(checked.value, wanted);
}

#[test]
fn settles_empty_fields_as_go_does() {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": null, "labels": {}, "name": "a"},
        "spec": {"hostNetwork": false, "containers": [{"name": "c", "command": [], "securityContext": {}}], "nodeName": ""}});
    settle(&core_v1::POD, &mut pod);
    let wanted = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "resources": {}, "securityContext": {}}]}, "status": {}});
    assert_eq!(pod, wanted);
    let again = pod.clone();
    settle(&core_v1::POD, &mut pod);
    assert_eq!(pod, again);
}

#[test]
fn judges_as_the_request_asks() {
    let problems = [FieldProblem::Unknown("spec.foo".to_owned())];
    assert_eq!(judge(FieldValidation::Ignore, &problems), Ok(Vec::new()));
    assert_eq!(judge(FieldValidation::Warn, &problems), Ok(vec![r#"unknown field "spec.foo""#.to_owned()]));
    let error = judge(FieldValidation::Strict, &problems).expect_err("refused");
    let told = refusal("apps/v1", "Deployment", &error).message;
    assert_eq!(told, r#"Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo""#);
}

#[test]
fn bounds_what_it_takes() {
    let many = format!("{{\"spec\":{{\"containers\":[{}{{}}]}}}}", "{},".repeat(1_000_001));
    assert!(read(&core_v1::POD, many.as_bytes()).is_err());
    let deep = format!("{{\"data\":{}{}}}", "[".repeat(500), "]".repeat(500));
    assert!(read(&apps_v1::CONTROLLER_REVISION, deep.as_bytes()).is_err());
}
