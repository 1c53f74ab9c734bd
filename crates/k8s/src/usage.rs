//! What an object uses: the resources of a pod, and what each object counts for in a ResourceQuota.
//!
//! Source: Kubernetes' documentation of pod resources (init containers, sidecars, overhead) and of resource quotas.

use crate::kinds::{CONFIG_MAP, PERSISTENT_VOLUME_CLAIM, POD, SECRET, SERVICE};
use crate::object::{Fields, Value};
use crate::{Kind, quantity};
use std::collections::BTreeMap;

/// Amounts by resource name (`cpu`, `requests.memory`, `count/secrets`), in thousandths.
pub type Amounts = BTreeMap<String, i128>;

/// Which of a container's amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `resources.requests`.
    Requests,
    /// `resources.limits`.
    Limits,
}

impl Side {
    const fn path(self) -> &'static str {
        match self {
            Self::Requests => "resources.requests",
            Self::Limits => "resources.limits",
        }
    }
}

/// What a pod takes at most at any moment: its containers and sidecars together, or the largest init container, and the overhead.
pub fn of_pod(pod: &Value, side: Side) -> Amounts {
    let mut running = Amounts::new();
    for container in pod.items("spec.containers") {
        add(&mut running, &of_container(container, side));
    }
    let mut sidecars = Amounts::new();
    let mut largest = Amounts::new();
    for container in pod.items("spec.initContainers") {
        let own = of_container(container, side);
        if container.text("restartPolicy") == "Always" {
            add(&mut sidecars, &own);
            raise(&mut largest, &sidecars);
        } else {
            let mut with_sidecars = sidecars.clone();
            add(&mut with_sidecars, &own);
            raise(&mut largest, &with_sidecars);
        }
    }
    add(&mut running, &sidecars);
    raise(&mut running, &largest);
    add(&mut running, &amounts(pod.at("spec.overhead")));
    running
}

/// Whether a pod counts: one that has ended does not.
pub fn pod_counts(pod: &Value) -> bool {
    !matches!(pod.text("status.phase"), "Succeeded" | "Failed")
}

/// What an object counts for under a quota, by the names that `spec.hard` uses.
pub fn of_object(kind: &Kind, object: &Value) -> Amounts {
    let mut used = Amounts::from([(format!("count/{}", kind.qualified_resource()), 1_000)]);
    let mut one = |name: &str| {
        used.insert(name.to_owned(), 1_000);
    };
    if kind == POD {
        if !pod_counts(object) {
            return used;
        }
        one("pods");
        add_pod(&mut used, object);
    } else if kind == SERVICE {
        one("services");
        match object.text("spec.type") {
            "NodePort" => one("services.nodeports"),
            "LoadBalancer" => {
                one("services.loadbalancers");
                one("services.nodeports");
            }
            _ => {}
        }
    } else if kind == PERSISTENT_VOLUME_CLAIM {
        one("persistentvolumeclaims");
        if let Some(storage) = object.at("spec.resources.requests.storage").and_then(Value::as_str).and_then(quantity::parse_milli) {
            used.insert("requests.storage".to_owned(), storage);
        }
    } else if kind == CONFIG_MAP || kind == SECRET || matches!(kind.resource, "replicationcontrollers" | "resourcequotas") {
        one(kind.resource);
    }
    used
}

/// Whether a quota's scopes take a pod in; other objects are taken in by quotas without scopes only.
pub fn in_scope(quota: &Value, kind: &Kind, object: &Value) -> bool {
    let plain = quota.items("spec.scopes").iter().filter_map(Value::as_str).map(|scope| (scope, "Exists", &[] as &[Value]));
    let expressions = quota.items("spec.scopeSelector.matchExpressions").iter();
    let selected = expressions.map(|expression| (expression.text("scopeName"), expression.text("operator"), expression.items("values")));
    let mut scopes = plain.chain(selected).peekable();
    if scopes.peek().is_none() {
        return true;
    }
    kind == POD && scopes.all(|(scope, operator, values)| pod_in_scope(object, scope, operator, values))
}

fn pod_in_scope(pod: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let best_effort = || of_pod(pod, Side::Requests).is_empty() && of_pod(pod, Side::Limits).is_empty();
    let class = pod.text("spec.priorityClassName");
    let named = values.iter().any(|value| value.as_str() == Some(class));
    match scope {
        "Terminating" => pod.int("spec.activeDeadlineSeconds").is_some(),
        "NotTerminating" => pod.int("spec.activeDeadlineSeconds").is_none(),
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => match operator {
            "In" => named,
            "NotIn" => !named,
            "DoesNotExist" => class.is_empty(),
            _ => !class.is_empty(),
        },
        _ => false,
    }
}

/// Adds `more` to `sum`.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_default() += amount;
    }
}

/// Amounts of a `ResourceList`; what is no quantity is left out.
pub fn amounts(list: Option<&Value>) -> Amounts {
    let members = list.and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), quantity::parse_milli(&scalar(value)?)?))).collect()
}

/// Writes an amount as its resource is written: binary for memory and storage, else decimal.
pub fn show(name: &str, milli: i128) -> String {
    let is_bytes = name.ends_with("memory") || name.ends_with("storage");
    if is_bytes && milli % 1_000 == 0 { quantity::show_binary(milli / 1_000) } else { quantity::show_milli(milli) }
}

fn scalar(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()))
}

fn of_container(container: &Value, side: Side) -> Amounts {
    let mut own = amounts(container.at(side.path()));
    if side == Side::Requests {
        // A limit without a request is the request, too.
        for (name, amount) in amounts(container.at(Side::Limits.path())) {
            own.entry(name).or_insert(amount);
        }
    }
    own
}

fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (name, amount) in at_least {
        let entry = to.entry(name.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

fn add_pod(used: &mut Amounts, pod: &Value) {
    for (name, amount) in of_pod(pod, Side::Requests) {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(name.clone(), amount);
        }
        used.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in of_pod(pod, Side::Limits) {
        used.insert(format!("limits.{name}"), amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn init_containers_count_as_the_largest_and_sidecars_as_running() {
        let container = |memory: &str| json!({"resources": {"requests": {"memory": memory}}});
        let mut sidecar = container("10");
        sidecar["restartPolicy"] = json!("Always");
        let pod =
            json!({"spec": {"containers": [container("5"), container("6")], "initContainers": [container("3"), sidecar, container("20")]}});
        assert_eq!(of_pod(&pod, Side::Requests)["memory"], 30_000);
    }

    #[test]
    fn a_limit_without_a_request_is_one() {
        let pod = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "200m"}}}]}});
        let used = of_object(POD, &pod);
        assert_eq!((used["requests.cpu"], used["limits.cpu"], used["pods"]), (200, 200, 1_000));
    }

    #[test]
    fn scopes_choose_pods() {
        let quota = json!({"spec": {"scopes": ["BestEffort"]}});
        assert!(in_scope(&quota, POD, &json!({"spec": {"containers": [{}]}})));
        assert!(!in_scope(&quota, POD, &json!({"spec": {"containers": [{"resources": {"limits": {"cpu": 1}}}]}})));
        assert!(!in_scope(&quota, SECRET, &json!({})));
    }
}
