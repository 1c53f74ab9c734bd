//! Role-based access: roles and bindings from the store, kept ready until one of them changes.
//!
//! Source: kubernetes `plugin/pkg/auth/authorizer/rbac`.

use super::Attributes;
use crate::objects::Objects;
use crate::request::prefix;
use crate::user::User;
use k8s::kinds::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING};
use k8s::{Fields, Kind, Value};
use std::sync::{Arc, Mutex, PoisonError};
use store::Watch;

const KINDS: [&Kind; 4] = [ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING];

/// Roles and bindings.
#[derive(Default)]
pub struct Rules(Mutex<Option<Ready>>);

struct Ready {
    grants: Arc<Vec<Grant>>,
    changes: Vec<Watch>,
}

/// One binding with the rules of its role.
pub struct Grant {
    /// Empty: everywhere.
    namespace: String,
    subjects: Vec<Value>,
    /// `PolicyRule`s.
    pub rules: Vec<Value>,
}

impl Rules {
    /// Whether any rule allows it.
    pub fn allow(&self, objects: &Objects, user: &User, asked: &Attributes) -> bool {
        self.of(objects, user, &asked.namespace, &mut |rule| allows(rule, asked))
    }

    /// Tells the rules that a user has in a namespace until one is enough; whether one was.
    pub fn of(&self, objects: &Objects, user: &User, namespace: &str, enough: &mut dyn FnMut(&Value) -> bool) -> bool {
        let grants = self.grants(objects);
        let here = grants.iter().filter(|grant| grant.namespace.is_empty() || grant.namespace == namespace);
        here.filter(|grant| grant.subjects.iter().any(|subject| is_subject(subject, &grant.namespace, user)))
            .any(|grant| grant.rules.iter().any(&mut *enough))
    }

    fn grants(&self, objects: &Objects) -> Arc<Vec<Grant>> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = ready.as_mut()
            && ready.changes.iter_mut().all(|watch| watch.try_next().is_none())
        {
            return ready.grants.clone();
        }
        // Joined before they are read, so that no change is missed between the two.
        let now = objects.store.revision();
        let changes: Vec<Watch> = KINDS.iter().filter_map(|kind| objects.store.watch(&prefix(kind, ""), now).ok()).collect();
        let grants = Arc::new(read(objects));
        *ready = (changes.len() == KINDS.len()).then(|| Ready { grants: grants.clone(), changes });
        grants
    }
}

fn read(objects: &Objects) -> Vec<Grant> {
    let bindings = objects.list(CLUSTER_ROLE_BINDING, "").into_iter().chain(objects.list(ROLE_BINDING, ""));
    let grant = |binding: Arc<Value>| {
        let namespace = binding.namespace().to_owned();
        let kind = if binding.text("roleRef.kind") == "Role" { ROLE } else { CLUSTER_ROLE };
        let space = if kind == ROLE { namespace.as_str() } else { "" };
        let role = objects.get(kind, space, binding.text("roleRef.name"))?;
        Some(Grant { rules: rules(objects, &role.value), subjects: binding.items("subjects").to_vec(), namespace })
    };
    bindings.filter_map(grant).collect()
}

/// The rules of a role; those of an aggregated one are of all roles that its selectors match.
pub fn rules(objects: &Objects, role: &Value) -> Vec<Value> {
    let mut rules = role.items("rules").to_vec();
    for selector in role.items("aggregationRule.clusterRoleSelectors") {
        let Some(selector) = k8s::labels::Selector::from_object(Some(selector)) else { continue };
        for other in objects.list(CLUSTER_ROLE, "").iter().filter(|other| selector.matches(other) && other.name() != role.name()) {
            let more = other.items("rules").iter().filter(|rule| !rules.contains(rule)).cloned().collect::<Vec<_>>();
            rules.extend(more);
        }
    }
    rules
}

fn is_subject(subject: &Value, namespace: &str, user: &User) -> bool {
    let name = subject.text("name");
    match subject.text("kind") {
        "User" => name == user.name,
        "Group" => user.is_in(name),
        "ServiceAccount" => {
            let space = Some(subject.text("namespace")).filter(|space| !space.is_empty()).unwrap_or(namespace);
            user.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) == Some((space, name))
        }
        _ => false,
    }
}

fn has(rule: &Value, member: &str, wanted: &str) -> bool {
    rule.items(member).iter().any(|value| value == wanted || value == "*")
}

/// Whether a `PolicyRule` allows what is asked.
pub fn allows(rule: &Value, asked: &Attributes) -> bool {
    if !has(rule, "verbs", &asked.verb) {
        return false;
    }
    if asked.resource.is_empty() {
        let covers = |value: &Value| {
            value
                .as_str()
                .is_some_and(|path| path == asked.path || path.strip_suffix('*').is_some_and(|start| asked.path.starts_with(start)))
        };
        return rule.items("nonResourceURLs").iter().any(covers);
    }
    let whole = if asked.subresource.is_empty() { asked.resource.clone() } else { format!("{}/{}", asked.resource, asked.subresource) };
    let resource = has(rule, "resources", &whole)
        || !asked.subresource.is_empty()
            && rule.items("resources").iter().any(|value| value.as_str() == Some(&format!("*/{}", asked.subresource)));
    let names = rule.items("resourceNames");
    has(rule, "apiGroups", &asked.group)
        && resource
        && (names.is_empty() || !asked.name.is_empty() && names.iter().any(|name| name == &asked.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(verb: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        let owned = |text: &str| text.to_owned();
        Attributes {
            verb: owned(verb),
            resource: owned(resource),
            subresource: owned(subresource),
            name: owned(name),
            namespace: owned("a"),
            ..Attributes::default()
        }
    }

    #[test]
    fn rules_allow_what_they_name_and_no_more() {
        let rule = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "pods/log", "*/scale"], "resourceNames": []});
        assert!(allows(&rule, &asked("get", "pods", "", "x")));
        assert!(allows(&rule, &asked("get", "pods", "log", "x")));
        assert!(allows(&rule, &asked("get", "deployments", "scale", "x")));
        assert!(!allows(&rule, &asked("get", "pods", "exec", "x")));
        assert!(!allows(&rule, &asked("delete", "pods", "", "x")));
        assert!(!allows(&rule, &Attributes { group: "apps".to_owned(), ..asked("get", "pods", "", "x") }));
        let named = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "resourceNames": ["one"]});
        assert!(allows(&named, &asked("delete", "secrets", "", "one")));
        assert!(!allows(&named, &asked("list", "secrets", "", "")));
        let path = json!({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/api/*"]});
        let at = |path: &str| Attributes { verb: "get".to_owned(), path: path.to_owned(), ..Attributes::default() };
        assert!(allows(&path, &at("/healthz")) && allows(&path, &at("/api/v1")) && !allows(&path, &at("/healthz/x")));
    }

    #[test]
    fn subjects_are_users_groups_and_accounts() {
        let user = User::service_account("a", "web", "u");
        assert!(is_subject(&json!({"kind": "ServiceAccount", "name": "web", "namespace": "a"}), "", &user));
        assert!(is_subject(&json!({"kind": "Group", "name": "system:serviceaccounts:a"}), "", &user));
        assert!(!is_subject(&json!({"kind": "ServiceAccount", "name": "web", "namespace": "b"}), "", &user));
        assert!(!is_subject(&json!({"kind": "User", "name": "web"}), "", &user));
    }
}
