//! ServiceAccounts and the two kinds of role bindings.

use super::cells::age;
use super::{AGE, Column, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

pub(super) static SERVICE_ACCOUNT: Printer =
    Printer { kind: kinds::SERVICE_ACCOUNT, columns: &[NAME, AGE], cells: |object, now| vec![json!(object.name()), age(object, now)] };

pub(super) static ROLE_BINDING: Printer = Printer { kind: kinds::ROLE_BINDING, columns: COLUMNS, cells };
pub(super) static CLUSTER_ROLE_BINDING: Printer = Printer { kind: kinds::CLUSTER_ROLE_BINDING, columns: COLUMNS, cells };

const COLUMNS: &[Column] = &[
    NAME,
    text("Role", "The role that it gives."),
    AGE,
    wide("Users", "Users that have it."),
    wide("Groups", "Groups that have it."),
    wide("ServiceAccounts", "Service accounts that have it."),
];

fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let subjects = |kind: &str| {
        let of_kind = object.items("subjects").iter().filter(|subject| subject.text("kind") == kind);
        let named = of_kind.map(|subject| match (kind, subject.text("namespace")) {
            ("ServiceAccount", namespace) if !namespace.is_empty() => format!("{namespace}/{}", subject.text("name")),
            _ => subject.text("name").to_owned(),
        });
        json!(named.collect::<Vec<_>>().join(", "))
    };
    let role = format!("{}/{}", object.text("roleRef.kind"), object.text("roleRef.name"));
    vec![json!(object.name()), json!(role), age(object, now), subjects("User"), subjects("Group"), subjects("ServiceAccount")]
}
