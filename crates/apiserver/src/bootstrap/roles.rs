//! Roles and bindings that every cluster has. Source: kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy`.

use k8s::kinds::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING};
use k8s::{Kind, Value};
use serde_json::json;

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// Objects, and whether they are put back at every start.
pub fn all() -> Vec<(&'static Kind, Value, bool)> {
    let mut all = vec![
        role(
            "cluster-admin",
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]),
        ),
        aggregated("admin", "admin"),
        aggregated("edit", "edit"),
        aggregated("view", "view"),
        part("system:aggregate-to-view", &["view"], view()),
        part("system:aggregate-to-edit", &["edit"], edit()),
        part("system:aggregate-to-admin", &["admin"], admin()),
        role(
            "system:basic-user",
            json!([
                rule(&["authorization.k8s.io"], &["selfsubjectaccessreviews", "selfsubjectrulesreviews"], &["create"]),
                rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
            ]),
        ),
        role(
            "system:discovery",
            json!([{"verbs": ["get"], "nonResourceURLs": [
            "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]}]),
        ),
        role(
            "system:public-info-viewer",
            json!([{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]}]),
        ),
        role(
            "system:service-account-issuer-discovery",
            json!([{"verbs": ["get"], "nonResourceURLs": ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"]}]),
        ),
        role(
            "system:auth-delegator",
            json!([
                rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
                rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
            ]),
        ),
    ];
    all.extend([
        binding("cluster-admin", "cluster-admin", &["system:masters"]),
        binding("system:basic-user", "system:basic-user", &["system:authenticated"]),
        binding("system:discovery", "system:discovery", &["system:authenticated"]),
        binding("system:public-info-viewer", "system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
        binding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", &["system:serviceaccounts"]),
    ]);
    all
}

fn labels() -> Value {
    json!({"kubernetes.io/bootstrapping": "rbac-defaults"})
}

fn role(name: &str, rules: Value) -> (&'static Kind, Value, bool) {
    (CLUSTER_ROLE, json!({"metadata": {"name": name, "labels": labels()}, "rules": rules}), false)
}

/// A role made of all roles that say so by their label.
fn aggregated(name: &str, to: &str) -> (&'static Kind, Value, bool) {
    let selector = json!({"matchLabels": {format!("rbac.authorization.k8s.io/aggregate-to-{to}"): "true"}});
    let mut selectors = vec![selector];
    // Each contains the one below, as the labels of the upstream roles make it.
    let below: &[&str] = match to {
        "admin" => &["edit", "view"],
        "edit" => &["view"],
        _ => &[],
    };
    selectors.extend(below.iter().map(|below| json!({"matchLabels": {format!("rbac.authorization.k8s.io/aggregate-to-{below}"): "true"}})));
    (
        CLUSTER_ROLE,
        json!({"metadata": {"name": name, "labels": labels()}, "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": []}),
        false,
    )
}

fn part(name: &str, to: &[&str], rules: Value) -> (&'static Kind, Value, bool) {
    let mut labels = labels();
    for to in to {
        labels[format!("rbac.authorization.k8s.io/aggregate-to-{to}")] = json!("true");
    }
    (CLUSTER_ROLE, json!({"metadata": {"name": name, "labels": labels}, "rules": rules}), false)
}

fn binding(name: &str, role: &str, groups: &[&str]) -> (&'static Kind, Value, bool) {
    let subjects: Vec<Value> =
        groups.iter().map(|group| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group})).collect();
    let object = json!({"metadata": {"name": name, "labels": labels()}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}});
    (CLUSTER_ROLE_BINDING, object, false)
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

fn view() -> Value {
    json!([
        rule(
            &[""],
            &[
                "configmaps",
                "endpoints",
                "persistentvolumeclaims",
                "persistentvolumeclaims/status",
                "pods",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "serviceaccounts",
                "services",
                "services/status"
            ],
            &READ
        ),
        rule(
            &[""],
            &[
                "bindings",
                "events",
                "limitranges",
                "namespaces/status",
                "pods/log",
                "pods/status",
                "replicationcontrollers/status",
                "resourcequotas",
                "resourcequotas/status"
            ],
            &READ
        ),
        rule(&[""], &["namespaces"], &READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], &READ),
        rule(
            &["apps"],
            &[
                "controllerrevisions",
                "daemonsets",
                "daemonsets/status",
                "deployments",
                "deployments/scale",
                "deployments/status",
                "replicasets",
                "replicasets/scale",
                "replicasets/status",
                "statefulsets",
                "statefulsets/scale",
                "statefulsets/status"
            ],
            &READ
        ),
        rule(&["autoscaling"], &["horizontalpodautoscalers", "horizontalpodautoscalers/status"], &READ),
        rule(&["batch"], &["cronjobs", "cronjobs/status", "jobs", "jobs/status"], &READ),
        rule(&["policy"], &["poddisruptionbudgets", "poddisruptionbudgets/status"], &READ),
        rule(&["networking.k8s.io"], &["ingresses", "ingresses/status", "networkpolicies"], &READ),
    ])
}

fn edit() -> Value {
    json!([
        rule(&[""], &["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"], &READ),
        rule(&[""], &["serviceaccounts"], &["impersonate"]),
        rule(&[""], &["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], &WRITE),
        rule(&[""], &["pods/eviction"], &["create"]),
        rule(
            &[""],
            &[
                "configmaps",
                "events",
                "persistentvolumeclaims",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "secrets",
                "serviceaccounts",
                "services",
                "services/proxy"
            ],
            &WRITE
        ),
        rule(&[""], &["serviceaccounts/token"], &["create"]),
        rule(
            &["apps"],
            &[
                "daemonsets",
                "deployments",
                "deployments/rollback",
                "deployments/scale",
                "replicasets",
                "replicasets/scale",
                "statefulsets",
                "statefulsets/scale"
            ],
            &WRITE
        ),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &WRITE),
        rule(&["batch"], &["cronjobs", "jobs"], &WRITE),
        rule(&["policy"], &["poddisruptionbudgets"], &WRITE),
        rule(&["networking.k8s.io"], &["ingresses", "networkpolicies"], &WRITE),
        rule(&["coordination.k8s.io"], &["leases"], &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]),
    ])
}

fn admin() -> Value {
    json!([
        rule(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"]),
        rule(
            &["rbac.authorization.k8s.io"],
            &["rolebindings", "roles"],
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        ),
    ])
}
