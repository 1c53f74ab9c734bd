//! Roles and their bindings.

use super::{Errors, meta, names};
use crate::object::Fields;
use crate::{Cause, Value};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A Role.
pub fn role(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    rules(object, old, true)
}

/// A ClusterRole.
pub fn cluster_role(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    rules(object, old, false)
}

fn rules(object: &Value, old: Option<&Value>, namespaced: bool) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::path_segment, &mut errors);
    for (at, rule) in object.items("rules").iter().enumerate() {
        self::rule(rule, namespaced, &format!("rules[{at}]"), &mut errors);
    }
    if let Some(aggregation) = object.at("aggregationRule")
        && aggregation.items("clusterRoleSelectors").is_empty()
    {
        errors.required("aggregationRule.clusterRoleSelectors", "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    errors.finish()
}

fn rule(rule: &Value, namespaced: bool, path: &str, errors: &mut Errors) {
    if rule.items("verbs").is_empty() {
        errors.required(format!("{path}.verbs"), "verbs must contain at least one value");
    }
    let urls = rule.items("nonResourceURLs");
    if !urls.is_empty() {
        let path = format!("{path}.nonResourceURLs");
        let found = rule.at("nonResourceURLs").cloned().unwrap_or_default();
        if namespaced {
            errors.invalid(&path, found.clone(), "namespaced rules cannot apply to non-resource URLs");
        }
        if ["apiGroups", "resources", "resourceNames"].iter().any(|name| !rule.items(name).is_empty()) {
            errors.invalid(path, found, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if rule.items("apiGroups").is_empty() {
        errors.required(format!("{path}.apiGroups"), "resource rules must supply at least one api group");
    }
    if rule.items("resources").is_empty() {
        errors.required(format!("{path}.resources"), "resource rules must supply at least one resource");
    }
}

/// A RoleBinding.
pub fn role_binding(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    binding(object, old, &["Role", "ClusterRole"])
}

/// A ClusterRoleBinding.
pub fn cluster_role_binding(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    binding(object, old, &["ClusterRole"])
}

fn binding(object: &Value, old: Option<&Value>, kinds: &[&str]) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::path_segment, &mut errors);
    errors.one_of("roleRef.apiGroup", object.text("roleRef.apiGroup"), &[GROUP]);
    errors.one_of("roleRef.kind", object.text("roleRef.kind"), kinds);
    match object.text("roleRef.name") {
        "" => errors.required("roleRef.name", ""),
        name => errors.invalid_each("roleRef.name", name, names::path_segment(name)),
    }
    for (at, subject) in object.items("subjects").iter().enumerate() {
        self::subject(subject, kinds.len() > 1, &format!("subjects[{at}]"), &mut errors);
    }
    if let Some(old) = old
        && object.at("roleRef") != old.at("roleRef")
    {
        errors.invalid("roleRef", object.at("roleRef").cloned().unwrap_or_default(), "cannot change roleRef");
    }
    errors.finish()
}

fn subject(subject: &Value, namespaced: bool, path: &str, errors: &mut Errors) {
    let name = subject.text("name");
    if name.is_empty() {
        errors.required(format!("{path}.name"), "");
    }
    match subject.text("kind") {
        "ServiceAccount" => {
            errors.invalid_each(&format!("{path}.name"), name, if name.is_empty() { Vec::new() } else { names::subdomain(name) });
            errors.one_of(format!("{path}.apiGroup"), subject.text("apiGroup"), &[""]);
            if !namespaced && subject.text("namespace").is_empty() {
                errors.required(format!("{path}.namespace"), "");
            }
        }
        "User" | "Group" => errors.one_of(format!("{path}.apiGroup"), subject.text("apiGroup"), &[GROUP]),
        other => errors.unsupported(format!("{path}.kind"), other, &["ServiceAccount", "User", "Group"]),
    }
}
