//! Which nodes a pod fits on, with the words that Kubernetes uses for why not.

use crate::world::World;
use k8s::kinds::POD;
use k8s::labels::Selector;
use k8s::usage::{self, Side};
use k8s::{Fields, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The node with most room among those that the pod fits on.
///
/// # Errors
/// The message of the event and the condition: how many nodes failed for which reason.
pub fn choose<'a>(pod: &Value, nodes: &'a [Arc<Value>], world: &dyn World) -> Result<&'a str, String> {
    let pods = world.list(POD, None);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut best: Option<(i128, &str)> = None;
    for node in nodes {
        let here: Vec<&Arc<Value>> =
            pods.iter().filter(|other| other.text("spec.nodeName") == node.name() && usage::pod_counts(other)).collect();
        let failed = unfit(pod, node, &here, &pods, nodes);
        if failed.is_empty() {
            let room = free(node, &here, "memory");
            if best.is_none_or(|(most, _)| room > most) {
                best = Some((room, node.name()));
            }
        }
        for reason in failed {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    best.map(|(_, name)| name).ok_or_else(|| {
        let told: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let told = if told.is_empty() { "no nodes available to schedule pods".to_owned() } else { told.join(", ") };
        format!("0/{} nodes are available: {told}.", nodes.len())
    })
}

fn unfit(pod: &Value, node: &Value, here: &[&Arc<Value>], pods: &[Arc<Value>], nodes: &[Arc<Value>]) -> Vec<String> {
    if let Some(taint) = untolerated(pod, node) {
        return vec![taint];
    }
    if node.flag("spec.unschedulable") && !tolerates(pod, "node.kubernetes.io/unschedulable", "", "NoSchedule") {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    if !selected(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
    }
    if port_taken(pod, here) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    if let Some(reason) = affinity(pod, node, pods, nodes) {
        return vec![reason.to_owned()];
    }
    insufficient(pod, node, here)
}

fn insufficient(pod: &Value, node: &Value, here: &[&Arc<Value>]) -> Vec<String> {
    let count = i128::try_from(here.len()).unwrap_or(i128::MAX);
    let allowed = usage::amounts(node.at("status.allocatable")).get("pods").map_or(i128::MAX, |pods| pods / 1_000);
    let mut reasons = if count < allowed { Vec::new() } else { vec!["Too many pods".to_owned()] };
    for (name, amount) in usage::of_pod(pod, Side::Requests) {
        if amount > 0 && amount > free(node, here, &name) {
            reasons.push(format!("Insufficient {name}"));
        }
    }
    reasons
}

fn free(node: &Value, here: &[&Arc<Value>], resource: &str) -> i128 {
    let taken: i128 = here.iter().filter_map(|pod| usage::of_pod(pod, Side::Requests).get(resource).copied()).sum();
    usage::amounts(node.at("status.allocatable")).get(resource).copied().unwrap_or(0) - taken
}

fn untolerated(pod: &Value, node: &Value) -> Option<String> {
    let blocking = node.items("spec.taints").iter().filter(|taint| matches!(taint.text("effect"), "NoSchedule" | "NoExecute"));
    let mut open = blocking.filter(|taint| !tolerates(pod, taint.text("key"), taint.text("value"), taint.text("effect")));
    open.next().map(|taint| format!("node(s) had untolerated taint {{{}: {}}}", taint.text("key"), taint.text("value")))
}

fn tolerates(pod: &Value, key: &str, value: &str, effect: &str) -> bool {
    pod.items("spec.tolerations").iter().any(|toleration| {
        let effect_fits = toleration.text("effect").is_empty() || toleration.text("effect") == effect;
        let key_fits = toleration.text("key") == key || (toleration.text("key").is_empty() && toleration.text("operator") == "Exists");
        effect_fits && key_fits && (toleration.text("operator") == "Exists" || toleration.text("value") == value)
    })
}

fn selected(pod: &Value, node: &Value) -> bool {
    let by_labels = Selector::from_map(&pod.texts("spec.nodeSelector")).matches(node);
    let terms = pod.items("spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    by_labels && (terms.is_empty() || terms.iter().any(|term| term_matches(term, node)))
}

fn term_matches(term: &Value, node: &Value) -> bool {
    let labels = term.items("matchExpressions");
    let fields = term.items("matchFields");
    if labels.is_empty() && fields.is_empty() {
        return false;
    }
    labels.iter().all(|expression| expression_matches(expression, node.label(expression.text("key"))))
        && fields.iter().all(|expression| expression_matches(expression, Some(node.name())))
}

fn expression_matches(expression: &Value, value: Option<&str>) -> bool {
    let values = || expression.items("values").iter().filter_map(Value::as_str);
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = |order: std::cmp::Ordering| {
        let bound = values().next().and_then(number);
        value.and_then(number).zip(bound).is_some_and(|(value, bound)| value.cmp(&bound) == order)
    };
    match expression.text("operator") {
        "In" => value.is_some_and(|value| values().any(|wanted| wanted == value)),
        "NotIn" => value.is_none_or(|value| values().all(|wanted| wanted != value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared(std::cmp::Ordering::Greater),
        "Lt" => compared(std::cmp::Ordering::Less),
        _ => false,
    }
}

fn host_ports(pod: &Value) -> Vec<(String, i64, String)> {
    let ports = pod.items("spec.containers").iter().flat_map(|container| container.items("ports"));
    let text = |value: &str, default: &str| if value.is_empty() { default.to_owned() } else { value.to_owned() };
    ports
        .filter_map(|port| {
            let number = port.int("hostPort").filter(|number| *number > 0)?;
            Some((text(port.text("hostIP"), "0.0.0.0"), number, text(port.text("protocol"), "TCP")))
        })
        .collect()
}

fn port_taken(pod: &Value, here: &[&Arc<Value>]) -> bool {
    let wanted = host_ports(pod);
    let clash = |a: &(String, i64, String), b: &(String, i64, String)| {
        a.1 == b.1 && a.2 == b.2 && (a.0 == b.0 || a.0 == "0.0.0.0" || b.0 == "0.0.0.0")
    };
    !wanted.is_empty() && here.iter().flat_map(|other| host_ports(other)).any(|taken| wanted.iter().any(|port| clash(port, &taken)))
}

fn affinity(pod: &Value, node: &Value, pods: &[Arc<Value>], nodes: &[Arc<Value>]) -> Option<&'static str> {
    let near = |term: &Value| {
        let selector = Selector::from_object(term.at("labelSelector")).unwrap_or_default();
        let topology = term.text("topologyKey");
        let place = node.label(topology);
        let there = |other: &&Arc<Value>| {
            let on = nodes.iter().find(|candidate| candidate.name() == other.text("spec.nodeName"));
            on.is_some_and(|on| place.is_some() && on.label(topology) == place)
        };
        let named = term.items("namespaces");
        let in_namespace = |other: &&Arc<Value>| {
            if named.is_empty() && term.at("namespaceSelector").is_none() {
                other.namespace() == pod.namespace()
            } else {
                named.iter().any(|name| name.as_str() == Some(other.namespace())) || term.at("namespaceSelector").is_some()
            }
        };
        pods.iter().filter(|other| usage::pod_counts(other)).filter(in_namespace).filter(there).any(|other| selector.matches(other))
    };
    let terms = |kind: &str| pod.items(&format!("spec.affinity.{kind}.requiredDuringSchedulingIgnoredDuringExecution"));
    // The first of a group that wants to be near itself has nobody to be near to.
    let first_of_group = |term: &Value| {
        let selector = Selector::from_object(term.at("labelSelector")).unwrap_or_default();
        selector.matches(pod) && !pods.iter().any(|other| !other.text("spec.nodeName").is_empty() && selector.matches(other))
    };
    if terms("podAntiAffinity").iter().any(near) {
        return Some("node(s) didn't match pod anti-affinity rules");
    }
    let unmet = terms("podAffinity").iter().any(|term| !near(term) && !first_of_group(term));
    unmet.then_some("node(s) didn't match pod affinity rules")
}
