//! Nobody gives rights that they do not have: every rule of a role, or of the role that a binding names, must be held by
//! the writer, unless they may `escalate` or `bind`. Source: kubernetes `pkg/registry/rbac/escalation_check.go`.

use super::{Admission, Review};
use crate::auth::{Attributes, rbac, reviews};
use k8s::kinds::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING};
use k8s::{ApiError, Fields, Value};

/// See the module.
pub const ADMISSION: Admission = Admission { name: "RBACEscalation", review };

fn review(review: &mut Review<'_>) -> Result<(), ApiError> {
    let kind = review.call.target.kind;
    if kind == ROLE || kind == CLUSTER_ROLE {
        return role(review);
    }
    if kind == ROLE_BINDING || kind == CLUSTER_ROLE_BINDING { binding(review) } else { Ok(()) }
}

fn role(review: &Review<'_>) -> Result<(), ApiError> {
    let same = review.old.is_some_and(|old| {
        old.member("rules") == review.object.member("rules") && old.member("aggregationRule") == review.object.member("aggregationRule")
    });
    let kind = review.call.target.kind;
    if same || may(review, "escalate", kind.resource, review.object.name()) {
        return Ok(());
    }
    let mut rules = review.object.items("rules").to_vec();
    // Whoever chooses roles by label chooses rules that nobody has seen yet.
    if review.object.at("aggregationRule").is_some() {
        rules.push(serde_json::json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
    }
    check(review, &rules)
}

fn binding(review: &Review<'_>) -> Result<(), ApiError> {
    let old = review.old;
    if old.is_some_and(|old| {
        old.member("subjects") == review.object.member("subjects") && old.member("roleRef") == review.object.member("roleRef")
    }) {
        return Ok(());
    }
    let name = review.object.text("roleRef.name");
    let (kind, namespace) = match review.object.text("roleRef.kind") {
        "Role" => (ROLE, review.object.namespace()),
        _ => (CLUSTER_ROLE, ""),
    };
    if may(review, "bind", kind.resource, name) {
        return Ok(());
    }
    let role = review.core().objects.get(kind, namespace, name).ok_or_else(|| ApiError::not_found(kind, name))?;
    check(review, &rbac::rules(&review.core().objects, &role.value))
}

fn may(review: &Review<'_>, verb: &str, resource: &str, name: &str) -> bool {
    let owned = |text: &str| text.to_owned();
    let asked = Attributes {
        verb: owned(verb),
        group: owned("rbac.authorization.k8s.io"),
        resource: owned(resource),
        namespace: owned(review.object.namespace()),
        name: owned(name),
        ..Attributes::default()
    };
    review.core().may(review.call.user, &asked)
}

fn check(review: &Review<'_>, rules: &[Value]) -> Result<(), ApiError> {
    let user = review.call.user;
    let missing = reviews::not_held(review.core(), user, review.object.namespace(), rules);
    if missing.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let groups = user.groups.iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(" ");
    let why = format!(
        "user {:?} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        told.join("\n")
    );
    Err(review.forbidden(&why))
}
