//! Questions about rights, asked by POST and stored nowhere.

use super::{Attributes, rbac};
use crate::core::Core;
use crate::user::{AUTHENTICATED, MASTERS, UNAUTHENTICATED, User};
use k8s::{ApiError, Fields, Value};
use serde_json::{Map, json};

/// One kind of question.
pub struct Review {
    /// Such as `SelfSubjectAccessReview`.
    pub kind: &'static str,
    /// Answers it: the body with its status. With the namespace of the path.
    pub answer: fn(&Core, &User, &str, Value) -> Result<Value, ApiError>,
}

/// All of them.
pub const REVIEWS: &[Review] = &[
    Review { kind: "SelfSubjectAccessReview", answer: self_access },
    Review { kind: "SubjectAccessReview", answer: access },
    Review { kind: "LocalSubjectAccessReview", answer: local_access },
    Review { kind: "SelfSubjectRulesReview", answer: own_rules },
    Review { kind: "TokenReview", answer: token },
    Review { kind: "SelfSubjectReview", answer: who },
];

fn attributes(spec: &Value) -> Result<Attributes, ApiError> {
    let owned = |path: &str| spec.text(path).to_owned();
    match (spec.member("resourceAttributes"), spec.member("nonResourceAttributes")) {
        (Some(_), None) => Ok(Attributes {
            verb: owned("resourceAttributes.verb"),
            group: owned("resourceAttributes.group"),
            version: owned("resourceAttributes.version"),
            resource: owned("resourceAttributes.resource"),
            subresource: owned("resourceAttributes.subresource"),
            namespace: owned("resourceAttributes.namespace"),
            name: owned("resourceAttributes.name"),
            path: String::new(),
        }),
        (None, Some(_)) => {
            Ok(Attributes { verb: owned("nonResourceAttributes.verb"), path: owned("nonResourceAttributes.path"), ..Attributes::default() })
        }
        _ => Err(ApiError::new(
            422,
            "Invalid",
            "spec: Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
    }
}

fn decided(core: &Core, user: &User, asked: &Attributes, mut review: Value) -> Value {
    let allowed = core.may(user, asked);
    review.set("status", json!({"allowed": allowed}));
    if allowed {
        let reason = if user.is_in(MASTERS) { "RBAC: the group system:masters may do everything" } else { "RBAC: allowed by a role" };
        review.set("status.reason", reason);
    }
    review.unset("metadata.managedFields");
    review
}

fn self_access(core: &Core, user: &User, _: &str, review: Value) -> Result<Value, ApiError> {
    let asked = attributes(review.member("spec").unwrap_or(&Value::Null))?;
    Ok(decided(core, user, &asked, review))
}

fn access(core: &Core, _: &User, _: &str, review: Value) -> Result<Value, ApiError> {
    let spec = review.member("spec").unwrap_or(&Value::Null);
    let asked = attributes(spec)?;
    let texts = |path: &str| spec.items(path).iter().filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>();
    let subject = User { name: spec.text("user").to_owned(), uid: spec.text("uid").to_owned(), groups: texts("groups"), ..User::default() };
    if subject.name.is_empty() && subject.groups.is_empty() {
        return Err(ApiError::new(422, "Invalid", "spec.user: Invalid value: \"\": at least one of user or group must be specified"));
    }
    Ok(decided(core, &subject, &asked, review))
}

fn local_access(core: &Core, user: &User, namespace: &str, review: Value) -> Result<Value, ApiError> {
    if review.text("spec.resourceAttributes.namespace") != namespace {
        return Err(ApiError::bad_request(format!("spec.resourceAttributes.namespace must match namespace: {namespace}")));
    }
    access(core, user, namespace, review)
}

fn own_rules(core: &Core, user: &User, _: &str, mut review: Value) -> Result<Value, ApiError> {
    let namespace = review.text("spec.namespace").to_owned();
    if namespace.is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    let mut tell = |rule: &Value| {
        let pick = |members: &[&str]| {
            let found = members.iter().filter_map(|member| Some(((*member).to_owned(), rule.member(member)?.clone())));
            Value::Object(found.collect::<Map<_, _>>())
        };
        if !rule.items("resources").is_empty() {
            resources.push(pick(&["verbs", "apiGroups", "resources", "resourceNames"]));
        }
        if !rule.items("nonResourceURLs").is_empty() {
            paths.push(pick(&["verbs", "nonResourceURLs"]));
        }
        false
    };
    if user.is_in(MASTERS) {
        tell(&json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        tell(&json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    core.auth.rules.of(&core.objects, user, &namespace, &mut tell);
    review.set("status", json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false}));
    Ok(review)
}

fn token(core: &Core, _: &User, _: &str, mut review: Value) -> Result<Value, ApiError> {
    let wanted: Vec<String> = review.items("spec.audiences").iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let audiences = if wanted.is_empty() { vec![super::token::ISSUER.to_owned()] } else { wanted };
    let status = match core.token_user(review.text("spec.token"), Some(&audiences)) {
        Ok(user) => json!({"authenticated": true, "user": described(&user), "audiences": audiences}),
        Err(error) => json!({"user": {}, "error": format!("[invalid bearer token, {error}]")}),
    };
    review.set("status", status);
    Ok(review)
}

fn who(_: &Core, user: &User, _: &str, mut review: Value) -> Result<Value, ApiError> {
    review.set("status", json!({"userInfo": described(user)}));
    Ok(review)
}

fn described(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

/// The user that impersonation headers name, once each part was allowed. Source: apiserver `pkg/endpoints/filters/impersonation.go`.
///
/// # Errors
/// 403 for what may not be impersonated, 400 for groups without a user.
pub fn impersonated(core: &Core, user: User, headers: &http::HeaderMap) -> Result<User, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (name, uid) = (text("impersonate-user"), text("impersonate-uid"));
    let groups: Vec<String> =
        headers.get_all("impersonate-group").iter().filter_map(|value| value.to_str().ok().map(str::to_owned)).collect();
    let extra = headers.iter().filter_map(|(key, value)| {
        let key = key.as_str().strip_prefix("impersonate-extra-")?;
        Some((crate::request::percent_decoded(key), value.to_str().ok()?.to_owned()))
    });
    let extra: Vec<(String, String)> = extra.collect();
    if name.is_empty() {
        let others = !groups.is_empty() || !extra.is_empty() || !uid.is_empty();
        return if others { Err(ApiError::bad_request("requested impersonation without impersonating a user")) } else { Ok(user) };
    }
    let may = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        let owned = |text: &str| text.to_owned();
        core.authorize(
            &user,
            &Attributes {
                verb: owned("impersonate"),
                group: owned(group),
                resource: owned(resource),
                subresource: owned(subresource),
                namespace: owned(namespace),
                name: owned(name),
                ..Attributes::default()
            },
        )
    };
    let mut made = User { name: name.clone(), uid: uid.clone(), groups: groups.clone(), ..User::default() };
    match name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, account)) => {
            may("", "serviceaccounts", "", namespace, account)?;
            if groups.is_empty() {
                made.groups = User::service_account(namespace, account, "").groups;
            }
        }
        None => may("", "users", "", "", &name)?,
    }
    for group in &groups {
        may("", "groups", "", "", group)?;
    }
    if !uid.is_empty() {
        may("authentication.k8s.io", "uids", "", "", &uid)?;
    }
    for (key, value) in extra {
        may("authentication.k8s.io", "userextras", &key, "", &value)?;
        made.extra.entry(key).or_default().push(value);
    }
    let known = if name == "system:anonymous" { UNAUTHENTICATED } else { AUTHENTICATED };
    if !made.is_in(known) {
        made.groups.push(known.to_owned());
    }
    Ok(made)
}

/// The rules of these that a user does not hold.
pub fn not_held(core: &Core, user: &User, namespace: &str, rules: &[Value]) -> Vec<Value> {
    if user.is_in(MASTERS) {
        return Vec::new();
    }
    let mut held = Vec::new();
    core.auth.rules.of(&core.objects, user, namespace, &mut |rule| {
        held.push(rule.clone());
        false
    });
    rules.iter().filter(|rule| !covered(rule, &held)).cloned().collect()
}

fn covered(rule: &Value, held: &[Value]) -> bool {
    let texts = |member: &str| rule.items(member).iter().filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>();
    let named = texts("resourceNames");
    let names = if named.is_empty() { vec![String::new()] } else { named };
    let mut asked = Vec::new();
    for verb in texts("verbs") {
        for path in texts("nonResourceURLs") {
            asked.push(Attributes { verb: verb.clone(), path, ..Attributes::default() });
        }
        for group in texts("apiGroups") {
            for resource in texts("resources") {
                let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
                for name in &names {
                    asked.push(Attributes {
                        verb: verb.clone(),
                        group: group.clone(),
                        resource: resource.to_owned(),
                        subresource: subresource.to_owned(),
                        name: name.clone(),
                        ..Attributes::default()
                    });
                }
            }
        }
    }
    asked.iter().all(|asked| held.iter().any(|rule| rbac::allows(rule, asked)))
}
