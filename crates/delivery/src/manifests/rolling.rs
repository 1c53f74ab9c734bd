//! What an update needs so that no request is lost, put into workloads that services lead to; what cannot be put in is told.
//!
//! Pods are told to end at the same moment as they are taken out of their services, and how long the routes take to follow
//! nobody says. A pod that sleeps first goes on answering meanwhile.

use super::Intent;
use base::{Finding, Severity};
use k8s::{Fields, Value};
use serde_json::json;
use std::time::Duration;

/// The rule's name in findings.
const RULE: &str = "rolling-update";

/// The kinds whose pods are replaced by new ones when they change.
const KINDS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// Puts in what is missing, and tells: what was added, and what makes an update of a workload lose requests all the same.
/// What the manifests say themselves stays as it is.
pub(super) fn make_rolling(intents: &mut [Intent], drain: Duration) -> Vec<Finding> {
    let selectors: Vec<Value> = intents
        .iter()
        .filter(|intent| intent.object.text("kind") == "Service")
        .filter_map(|intent| intent.object.at("spec.selector").cloned())
        .collect();
    let mut findings = Vec::new();
    for intent in intents.iter_mut().filter(|intent| KINDS.contains(&intent.object.text("kind"))) {
        if !selectors.iter().any(|selector| selects(selector, &intent.object)) {
            continue;
        }
        let name = super::shown(&intent.object);
        let mut tell =
            |severity, message: String| findings.push(Finding::new(RULE, severity, intent.place.clone(), format!("{name}: {message}")));
        for why in obstacles(&intent.object) {
            tell(Severity::Warning, why);
        }
        let added = add(&mut intent.object, drain);
        if !added.is_empty() {
            tell(Severity::Info, format!("added, so that an update loses no request: {}", added.join(", ")));
        }
    }
    findings
}

fn selects(selector: &Value, deployment: &Value) -> bool {
    let labels = deployment.at("spec.template.metadata.labels");
    let pairs = selector.as_object().filter(|pairs| !pairs.is_empty());
    pairs.is_some_and(|pairs| pairs.iter().all(|(name, value)| labels.and_then(|labels| labels.get(name)) == Some(value)))
}

fn is_recreated(deployment: &Value) -> bool {
    deployment.text("spec.strategy.type") == "Recreate"
}

/// A number, or a share of the replicas; shares of unavailable pods are rounded down (`apps/v1`, RollingUpdateDeployment).
fn at_most(value: &Value, replicas: i64) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => Some(text.strip_suffix('%')?.parse::<i64>().ok()?.saturating_mul(replicas) / 100),
        _ => None,
    }
}

/// Whether no pod may come before another goes.
fn surges_by_none(deployment: &Value) -> bool {
    let surge = deployment.at("spec.strategy.rollingUpdate.maxSurge");
    // A share is rounded up: only one of nothing is none.
    surge.is_some_and(|surge| at_most(surge, 1) == Some(0) && surge.as_str().is_none_or(|text| text == "0%"))
}

fn obstacles(deployment: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let replicas = deployment.int("spec.replicas").unwrap_or(1);
    if is_recreated(deployment) {
        found.push("the strategy Recreate ends all pods before it starts new ones: nothing answers meanwhile".to_owned());
    } else if let Some(unavailable) = deployment.at("spec.strategy.rollingUpdate.maxUnavailable").and_then(|value| at_most(value, replicas))
        && unavailable >= replicas
    {
        found.push(format!("maxUnavailable {unavailable} lets all of the {replicas} replicas be away at once; set it to 0"));
    }
    if deployment.text("kind") == "StatefulSet" && replicas == 1 {
        found.push("its one pod ends before the new one starts: nothing answers meanwhile".to_owned());
    }
    if !is_recreated(deployment) && surges_by_none(deployment) {
        found.push("maxSurge 0 ends pods before new ones are there: those that are left answer alone; set it to 1 or more".to_owned());
    }
    if serving(deployment).iter().all(|container| container.at("readinessProbe").is_none()) {
        found.push("no container has a readinessProbe: new pods get requests before they can answer".to_owned());
    }
    found
}

/// The containers that services can lead to: those that name ports, or all where none does.
fn serving(deployment: &Value) -> Vec<&Value> {
    let containers = deployment.items("spec.template.spec.containers");
    let named: Vec<&Value> = containers.iter().filter(|container| !container.items("ports").is_empty()).collect();
    if named.is_empty() { containers.iter().collect() } else { named }
}

fn add(deployment: &mut Value, drain: Duration) -> Vec<String> {
    let mut added = Vec::new();
    let is_deployment = deployment.text("kind") == "Deployment";
    let unset = deployment.at("spec.strategy.rollingUpdate.maxUnavailable").is_none();
    if is_deployment && !is_recreated(deployment) && unset && !surges_by_none(deployment) && !drain.is_zero() {
        deployment.set("spec.strategy.type", "RollingUpdate");
        deployment.set("spec.strategy.rollingUpdate.maxUnavailable", 0);
        if deployment.at("spec.strategy.rollingUpdate.maxSurge").is_none() {
            deployment.set("spec.strategy.rollingUpdate.maxSurge", "25%");
        }
        added.push("maxUnavailable 0".to_owned());
    }
    let seconds = i64::try_from(drain.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
    // Where all pods end before new ones start, a sleep is only a longer pause.
    if seconds > 0 && !is_recreated(deployment) && put_sleep(deployment, seconds) {
        // The sleep is taken from the time that the program has to end.
        let grace = deployment.int("spec.template.spec.terminationGracePeriodSeconds").unwrap_or(30);
        deployment.set("spec.template.spec.terminationGracePeriodSeconds", grace.saturating_add(seconds));
        added.push(format!("a preStop sleep of {seconds} s"));
        added.push(format!("terminationGracePeriodSeconds {} instead of {grace}", grace.saturating_add(seconds)));
    }
    added
}

fn put_sleep(deployment: &mut Value, seconds: i64) -> bool {
    let names: Vec<String> = serving(deployment).iter().map(|container| container.text("name").to_owned()).collect();
    let mut put = false;
    let containers = deployment.at_mut("spec.template.spec.containers").as_array_mut().into_iter().flatten();
    for container in containers.filter(|container| names.iter().any(|name| name == container.text("name"))) {
        if container.at("lifecycle.preStop").is_none() {
            *container.at_mut("lifecycle.preStop") = json!({"sleep": {"seconds": seconds}});
            put = true;
        }
    }
    put
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Place;

    fn deployment(spec: Value, container: Value) -> Value {
        let mut made = json!({"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}, {"name": "log"}]}}}});
        for (name, value) in spec.as_object().cloned().unwrap_or_default() {
            made["spec"][name] = value;
        }
        for (name, value) in container.as_object().cloned().unwrap_or_default() {
            made["spec"]["template"]["spec"]["containers"][0][name] = value;
        }
        made
    }

    fn rolled(object: Value, drain: u64) -> (Value, Vec<String>) {
        let service = json!({"kind": "Service", "spec": {"selector": {"app": "a"}}});
        let mut intents: Vec<Intent> = [service, object].into_iter().map(|object| Intent { object, place: Place::default() }).collect();
        let findings = make_rolling(&mut intents, Duration::from_secs(drain));
        (intents.remove(1).object, findings.into_iter().map(|finding| finding.message).collect())
    }

    #[test]
    fn what_is_missing_is_added_and_told() {
        let (object, told) = rolled(deployment(json!({"replicas": 2}), json!({"readinessProbe": {}})), 5);
        let containers = object.items("spec.template.spec.containers");
        assert_eq!(containers[0].int("lifecycle.preStop.sleep.seconds"), Some(5));
        assert_eq!(containers[1].at("lifecycle"), None);
        assert_eq!(object.int("spec.template.spec.terminationGracePeriodSeconds"), Some(35));
        assert_eq!(object.int("spec.strategy.rollingUpdate.maxUnavailable"), Some(0));
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("a preStop sleep of 5 s") && told[0].contains("35 instead of 30"), "{told:?}");
    }

    #[test]
    fn what_is_written_stays() {
        let own = json!({"exec": {"command": ["sleep", "9"]}});
        let written = deployment(
            json!({"replicas": 3, "strategy": {"rollingUpdate": {"maxUnavailable": 1}}}),
            json!({"readinessProbe": {}, "lifecycle": {"preStop": own}}),
        );
        let (object, told) = rolled(written.clone(), 5);
        assert_eq!((object, told), (written, Vec::new()));
        let plain = deployment(json!({}), json!({"readinessProbe": {}}));
        assert_eq!(rolled(plain.clone(), 0), (plain, Vec::new()));
    }

    #[test]
    fn both_bounds_are_never_zero() {
        for surge in [json!(0), json!("0%")] {
            let spec = json!({"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": surge}}});
            let (object, told) = rolled(deployment(spec, json!({"readinessProbe": {}})), 5);
            assert_eq!(object.at("spec.strategy.rollingUpdate.maxUnavailable"), None, "{told:?}");
        }
    }

    #[test]
    fn other_workloads_get_the_sleep_and_no_field_that_they_lack() {
        for kind in ["StatefulSet", "DaemonSet"] {
            let mut set = deployment(json!({"replicas": 2}), json!({"readinessProbe": {}}));
            set.set("kind", kind);
            let (object, told) = rolled(set, 5);
            assert_eq!(object.items("spec.template.spec.containers")[0].int("lifecycle.preStop.sleep.seconds"), Some(5), "{told:?}");
            assert_eq!(object.at("spec.strategy"), None);
        }
        let mut one = deployment(json!({"replicas": 1}), json!({"readinessProbe": {}}));
        one.set("kind", "StatefulSet");
        assert!(rolled(one, 0).1[0].contains("its one pod ends before"));
    }

    #[test]
    fn what_loses_requests_all_the_same_is_told() {
        for (spec, container, wanted) in [
            (json!({"strategy": {"type": "Recreate"}}), json!({"readinessProbe": {}}), "strategy Recreate ends"),
            (
                json!({"replicas": 1, "strategy": {"rollingUpdate": {"maxUnavailable": 1}}}),
                json!({"readinessProbe": {}}),
                "all of the 1 replicas",
            ),
            (
                json!({"replicas": 3, "strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}),
                json!({"readinessProbe": {}}),
                "all of the 3",
            ),
            (
                json!({"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": "0%"}}}),
                json!({"readinessProbe": {}}),
                "maxSurge 0 ends pods before",
            ),
            (json!({"replicas": 2}), json!({}), "readinessProbe"),
        ] {
            let recreated = spec.text("strategy.type") == "Recreate";
            let (_, told) = rolled(deployment(spec, container), if recreated { 5 } else { 0 });
            assert!(told.len() == 1 && told[0].contains(wanted), "{wanted}: {told:?}");
        }
        let unselected = deployment(json!({"strategy": {"type": "Recreate"}}), json!({}));
        let mut alone = [Intent { object: unselected, place: Place::default() }];
        assert_eq!(make_rolling(&mut alone, Duration::from_secs(5)), Vec::new());
    }
}
