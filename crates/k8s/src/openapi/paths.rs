//! Operations on the kinds' paths.

use super::{Dialect, schema};
use crate::Value;
use crate::generated::ROOTS;
use crate::kinds::{KINDS, Kind, REQUESTS, RequestKind, Subresource};
use crate::protobuf;
use crate::schema::Message;
use serde_json::{Map, json};

/// Chooses groups and versions.
pub type Chosen<'a> = &'a dyn Fn(&str, &str) -> bool;

/// The messages that the paths name.
pub fn messages(chosen: Chosen<'_>) -> Vec<&'static Message> {
    let named = |group: &str, version: &str, kind: &str| {
        ROOTS.iter().find(move |root| root.0 == group && root.1 == version && root.2 == kind).map(|root| root.3)
    };
    let mut messages = Vec::new();
    for kind in KINDS.iter().filter(|kind| chosen(kind.group, kind.version)) {
        messages.push(kind.schema);
        messages.extend(named(kind.group, kind.version, &kind.list_kind()));
        messages.extend(kind.subresources.iter().filter_map(|sub| named(sub.body.0, sub.body.1, sub.body.2)));
    }
    for request in REQUESTS.iter().filter(|request| chosen(request.group, request.version)) {
        messages.extend(named(request.group, request.version, request.kind));
    }
    messages.extend(["DeleteOptions", "Status"].iter().filter_map(|kind| protobuf::message("v1", kind)));
    messages
}

/// Every path with its operations.
pub fn all(dialect: Dialect, chosen: Chosen<'_>) -> Map<String, Value> {
    let mut paths = Map::new();
    for kind in KINDS.iter().filter(|kind| chosen(kind.group, kind.version)) {
        of_kind(dialect, kind, &mut paths);
    }
    for request in REQUESTS.iter().filter(|request| chosen(request.group, request.version)) {
        of_request(dialect, request, &mut paths);
    }
    paths
}

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// What an operation is about.
struct Operation<'a> {
    dialect: Dialect,
    /// `x-kubernetes-action`.
    action: &'static str,
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    /// OpenAPI name of the body of a request, where there is one.
    body: Option<String>,
    /// OpenAPI name of the answer.
    answer: String,
    query: &'static [(&'static str, &'static str)],
}

const WRITE: &[(&str, &str)] = &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"), ("pretty", "string")];
const PATCH: &[(&str, &str)] =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"), ("force", "boolean"), ("pretty", "string")];
const READ: &[(&str, &str)] = &[("pretty", "string")];
const DELETE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
    ("pretty", "string"),
];
const LIST: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("pretty", "string"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];

impl Operation<'_> {
    fn render(&self) -> Value {
        let mut operation = json!({
            "operationId": self.id(),
            "responses": self.responses(),
            "x-kubernetes-action": self.action,
            "x-kubernetes-group-version-kind": {"group": self.group, "version": self.version, "kind": self.kind},
        });
        let mut parameters: Vec<Value> = self.query.iter().map(|(name, kind)| self.parameter(name, kind)).collect();
        if let Some(body) = &self.body {
            self.add_body(body, &mut operation, &mut parameters);
        }
        operation["parameters"] = Value::Array(parameters);
        operation
    }

    fn id(&self) -> String {
        let first = |text: &str| text.chars().next().map(|c| c.to_ascii_uppercase().to_string() + text.get(1..).unwrap_or_default());
        let group = self.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        [self.action, &first(group).unwrap_or_default(), &first(self.version).unwrap_or_default(), self.kind].concat()
    }

    fn parameter(&self, name: &str, kind: &str) -> Value {
        match self.dialect {
            Dialect::V2 => json!({"name": name, "in": "query", "type": kind, "uniqueItems": true}),
            Dialect::V3 => json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}}),
        }
    }

    fn responses(&self) -> Value {
        let schema = json!({"$ref": format!("{}{}", self.dialect.reference(), self.answer)});
        let answer = match self.dialect {
            Dialect::V2 => json!({"description": "OK", "schema": schema}),
            Dialect::V3 => json!({"description": "OK", "content": {"application/json": {"schema": schema}}}),
        };
        json!({"200": answer, "401": {"description": "Unauthorized"}})
    }

    fn add_body(&self, body: &str, operation: &mut Value, parameters: &mut Vec<Value>) {
        let schema = json!({"$ref": format!("{}{body}", self.dialect.reference())});
        let media: &[&str] = if self.action == "patch" {
            &[
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
                "application/apply-patch+yaml",
            ]
        } else {
            &["application/json", "application/yaml", protobuf::MEDIA_TYPE]
        };
        match self.dialect {
            Dialect::V2 => {
                parameters.push(json!({"name": "body", "in": "body", "required": self.action != "delete", "schema": schema}));
                operation["consumes"] = json!(media);
                operation["produces"] = json!(["application/json"]);
            }
            Dialect::V3 => {
                let content: Map<String, Value> = media.iter().map(|media| ((*media).to_owned(), json!({"schema": schema}))).collect();
                operation["requestBody"] = json!({"required": self.action != "delete", "content": content});
            }
        }
    }
}

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

fn of_kind(dialect: Dialect, kind: &'static Kind, paths: &mut Map<String, Value>) {
    let own = kind.schema.name.to_owned();
    let list = format!("{own}List");
    let operation = |action, body: Option<&str>, answer: &str, query| {
        let (body, answer) = (body.map(str::to_owned), answer.to_owned());
        Operation { dialect, action, group: kind.group, version: kind.version, kind: kind.kind, body, answer, query }.render()
    };
    let top = root(kind.group, kind.version);
    let below =
        if kind.is_namespaced() { format!("{top}/namespaces/{{namespace}}/{}", kind.resource) } else { format!("{top}/{}", kind.resource) };
    let mut collection = json!({
        "get": operation("list", None, &list, LIST),
        "post": operation("post", Some(&own), &own, WRITE),
        "parameters": place(dialect, kind.is_namespaced(), false),
    });
    if crate::discovery::verbs(kind).contains(&"deletecollection") {
        collection["delete"] = operation("deletecollection", Some(DELETE_OPTIONS), STATUS, DELETE);
    }
    paths.insert(below.clone(), collection);
    if kind.is_namespaced() {
        paths.insert(format!("{top}/{}", kind.resource), json!({"get": operation("list", None, &list, LIST)}));
    }
    let item = json!({
        "get": operation("get", None, &own, READ),
        "put": operation("put", Some(&own), &own, WRITE),
        "patch": operation("patch", Some(schema::PATCH), &own, PATCH),
        "delete": operation("delete", Some(DELETE_OPTIONS), STATUS, DELETE),
        "parameters": place(dialect, kind.is_namespaced(), true),
    });
    paths.insert(format!("{below}/{{name}}"), item);
    let status = Subresource { name: "status", body: (kind.group, kind.version, kind.kind), verbs: &crate::discovery::STATUS_VERBS };
    for sub in kind.subresources.iter().chain(kind.has_status.then_some(&status)) {
        paths.insert(format!("{below}/{{name}}/{}", sub.name), of_subresource(dialect, kind, sub));
    }
}

fn of_subresource(dialect: Dialect, kind: &Kind, sub: &Subresource) -> Value {
    let (group, version, name) = sub.body;
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let own = protobuf::message(&api_version, name).map_or(kind.schema.name, |message| message.name);
    let mut path = json!({"parameters": place(dialect, kind.is_namespaced(), true)});
    for verb in sub.verbs {
        let (method, action, body, query) = match *verb {
            "get" => ("get", "get", None, READ),
            "create" => ("post", "post", Some(own), WRITE),
            "update" => ("put", "put", Some(own), WRITE),
            "patch" => ("patch", "patch", Some(schema::PATCH), PATCH),
            _ => continue,
        };
        let (body, answer) = (body.map(str::to_owned), own.to_owned());
        path[method] = Operation { dialect, action, group, version, kind: name, body, answer, query }.render();
    }
    path
}

fn of_request(dialect: Dialect, request: &RequestKind, paths: &mut Map<String, Value>) {
    let (group, version, kind) = (request.group, request.version, request.kind);
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let own = protobuf::message(&api_version, kind).map_or(STATUS, |message| message.name).to_owned();
    let below = if request.namespaced { "namespaces/{namespace}/" } else { "" };
    let post = Operation { dialect, action: "post", group, version, kind, body: Some(own.clone()), answer: own, query: WRITE }.render();
    let path = json!({"post": post, "parameters": place(dialect, request.namespaced, false)});
    paths.insert(format!("{}/{below}{}", root(group, version), request.resource), path);
}

fn place(dialect: Dialect, namespaced: bool, named: bool) -> Value {
    let parameter = |name: &str| match dialect {
        Dialect::V2 => json!({"name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true}),
        Dialect::V3 => json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}}),
    };
    let chosen = [("name", named), ("namespace", namespaced)];
    chosen.iter().filter(|(_, there)| *there).map(|(name, _)| parameter(name)).collect()
}
