//! Tests of the table of exceptions.

use super::*;
use crate::kinds::{DEPLOYMENT, KINDS, POD, SERVICE};
use crate::schema::{Message, Type};
use serde_json::json;

#[test]
fn tells_and_refuses_with_the_path() {
    let pod = json!({"spec": {"hostUsers": false, "topologySpreadConstraints": [{}], "volumes": [{"name": "a"}, {"name": "b", "nfs": {"server": "s"}}],
        "containers": [{"name": "c", "securityContext": {"procMount": "Default"}}]}});
    let told = check(POD, &pod);
    assert_eq!(told.warnings, ["spec.topologySpreadConstraints: there is one node; nothing can be spread"]);
    let refused: Vec<&str> = told.refused.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(refused, ["spec.hostUsers", "spec.volumes[1].nfs"]);
    let deployment = json!({"spec": {"template": {"spec": {"hostnameOverride": "x"}}}});
    assert_eq!(check(DEPLOYMENT, &deployment).refused[0].field, "spec.template.spec.hostnameOverride");
    assert_eq!(check(SERVICE, &json!({"spec": {"type": "NodePort", "ipFamilies": ["IPv4"]}})), Told::default());
}

/// A path that the kind does not have would be an exception that never acts.
#[test]
fn every_path_is_a_field() {
    for kind in KINDS {
        for (path, _, _) in table(kind) {
            assert!(is_field(kind.schema, &path), "{}: {path}", kind.kind);
        }
    }
}

fn is_field(message: &'static Message, path: &str) -> bool {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, listed) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    let Some(field) = message.field(name) else { return false };
    let inner = match (field.ty, listed) {
        (Type::List(inner), true) => *inner,
        (_, true) => return false,
        (ty, false) => ty,
    };
    match inner {
        _ if rest.is_empty() => true,
        Type::Message(inner) => is_field(inner, rest),
        // A key of a map.
        Type::Map(_) => !rest.contains('.'),
        _ => false,
    }
}
