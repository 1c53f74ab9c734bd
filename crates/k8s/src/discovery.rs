//! The discovery documents, as pure functions of the kinds. Source: the API server's `/api`, `/apis`, and apidiscovery v2.

use crate::Value;
use crate::kinds::{KINDS, Kind, REQUESTS, RequestKind, Subresource};
use serde_json::json;

/// The media type of aggregated discovery; the reply must carry the same parameters.
pub const AGGREGATED_MEDIA_TYPE: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// What can be done with every stored kind.
pub const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// What can be done with namespaces, which are never deleted together.
const NAMESPACE_VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
/// What can be done with `/status`.
pub const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

/// The groups in the API server's order of priority; groups that are not named follow.
const ORDER: [&str; 17] = [
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
];

/// Which of the two roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `/api`: the core group.
    Api,
    /// `/apis`: all other groups.
    Apis,
}

/// What can be done with objects of a kind.
pub fn verbs(kind: &Kind) -> &'static [&'static str] {
    if kind.resource == "namespaces" { &NAMESPACE_VERBS } else { &VERBS }
}

/// Every served group but the core one, with its versions, the preferred one first.
pub fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (group, version) in served() {
        match groups.iter_mut().find(|(known, _)| *known == group) {
            _ if group.is_empty() => {}
            Some((_, versions)) if versions.contains(&version) => {}
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    groups.sort_by_key(|(group, _)| ORDER.iter().position(|known| known == group).unwrap_or(ORDER.len()));
    groups
}

fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|kind| (kind.group, kind.version)).chain(REQUESTS.iter().map(|request| (request.group, request.version)))
}

/// `/api`, for clients that know no aggregated discovery.
pub fn api_versions(server_address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    })
}

/// `/apis`.
pub fn api_group_list() -> Value {
    let groups: Vec<Value> = groups().iter().map(|(group, versions)| group_members(group, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; `None` for a group that is not served.
pub fn api_group(group: &str) -> Option<Value> {
    let (group, versions) = groups().into_iter().find(|(known, _)| *known == group)?;
    let mut answer = group_members(group, &versions);
    answer["kind"] = json!("APIGroup");
    answer["apiVersion"] = json!("v1");
    Some(answer)
}

fn group_members(group: &str, versions: &[&str]) -> Value {
    let told: Vec<Value> =
        versions.iter().map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version})).collect();
    let preferred = told.first().cloned().unwrap_or_default();
    json!({"name": group, "versions": told, "preferredVersion": preferred})
}

/// `/api/v1`, `/apis/GROUP/VERSION`; `None` for what is not served.
pub fn api_resource_list(group: &str, version: &str) -> Option<Value> {
    if !served().any(|served| served == (group, version)) {
        return None;
    }
    let mut resources = Vec::new();
    for kind in KINDS.iter().filter(|kind| (kind.group, kind.version) == (group, version)) {
        resources.push(resource(kind));
        resources.extend(subresources(kind).iter().map(|sub| subresource(kind, sub)));
    }
    for request in REQUESTS.iter().filter(|request| (request.group, request.version) == (group, version)) {
        resources.push(json!({
            "name": request.resource, "singularName": request.singular, "namespaced": request.namespaced,
            "kind": request.kind, "verbs": ["create"],
        }));
    }
    resources.sort_by_key(|resource| resource["name"].as_str().unwrap_or_default().to_owned());
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut answer = json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources});
    if !group.is_empty() {
        answer["apiVersion"] = json!("v1");
    }
    Some(answer)
}

fn resource(kind: &Kind) -> Value {
    let mut answer = json!({
        "name": kind.resource, "singularName": kind.singular, "namespaced": kind.is_namespaced(), "kind": kind.kind, "verbs": verbs(kind),
    });
    add_names(&mut answer, kind);
    answer
}

fn add_names(answer: &mut Value, kind: &Kind) {
    for (name, names) in [("shortNames", kind.short), ("categories", kind.categories)] {
        if !names.is_empty() {
            answer[name] = json!(names);
        }
    }
}

/// One subresource, `status` included.
struct Sub {
    name: &'static str,
    body: (&'static str, &'static str, &'static str),
    verbs: &'static [&'static str],
}

fn subresources(kind: &Kind) -> Vec<Sub> {
    let told = |sub: &Subresource| Sub { name: sub.name, body: sub.body, verbs: sub.verbs };
    let mut subs: Vec<Sub> = kind.subresources.iter().map(told).collect();
    if kind.has_status {
        subs.push(Sub { name: "status", body: (kind.group, kind.version, kind.kind), verbs: &STATUS_VERBS });
    }
    subs.sort_by_key(|sub| sub.name);
    subs
}

fn subresource(kind: &Kind, sub: &Sub) -> Value {
    let (group, version, body) = sub.body;
    let mut answer = json!({
        "name": format!("{}/{}", kind.resource, sub.name), "singularName": "", "namespaced": kind.is_namespaced(),
        "kind": body, "verbs": sub.verbs,
    });
    if (group, version) != (kind.group, kind.version) {
        answer["group"] = json!(group);
        answer["version"] = json!(version);
    }
    answer
}

/// `/api` or `/apis` as an aggregated `APIGroupDiscoveryList` of apidiscovery v2.
pub fn aggregated(root: Root) -> Value {
    let items: Vec<Value> = match root {
        Root::Api => vec![json!({"metadata": {}, "versions": [aggregated_version("", "v1")]})],
        Root::Apis => groups()
            .iter()
            .map(|(group, versions)| {
                let versions: Vec<Value> = versions.iter().map(|version| aggregated_version(group, version)).collect();
                json!({"metadata": {"name": group}, "versions": versions})
            })
            .collect(),
    };
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_version(group: &str, version: &str) -> Value {
    let mut resources: Vec<Value> =
        KINDS.iter().filter(|kind| (kind.group, kind.version) == (group, version)).map(|kind| aggregated_kind(kind)).collect();
    let requests = REQUESTS.iter().filter(|request| (request.group, request.version) == (group, version));
    resources.extend(requests.map(aggregated_request));
    resources.sort_by_key(|resource| resource["resource"].as_str().unwrap_or_default().to_owned());
    json!({"version": version, "freshness": "Current", "resources": resources})
}

fn aggregated_kind(kind: &Kind) -> Value {
    let mut answer = json!({
        "resource": kind.resource,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": scope(kind.is_namespaced()),
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    add_names(&mut answer, kind);
    let subs: Vec<Value> = subresources(kind)
        .iter()
        .map(|sub| {
            let (group, version, body) = sub.body;
            json!({"subresource": sub.name, "responseKind": {"group": group, "version": version, "kind": body}, "verbs": sub.verbs})
        })
        .collect();
    if !subs.is_empty() {
        answer["subresources"] = Value::Array(subs);
    }
    answer
}

fn aggregated_request(request: &RequestKind) -> Value {
    json!({
        "resource": request.resource,
        "responseKind": {"group": request.group, "version": request.version, "kind": request.kind},
        "scope": scope(request.namespaced),
        "singularResource": request.singular,
        "verbs": ["create"],
    })
}

fn scope(namespaced: bool) -> &'static str {
    if namespaced { "Namespaced" } else { "Cluster" }
}

#[cfg(test)]
mod tests;
