//! Where pods go, and what is said of those that go nowhere.

use super::*;
use crate::testing::TestWorld;

fn node() -> Value {
    json!({"metadata": {"name": "wharf", "uid": "n", "labels": {"kubernetes.io/hostname": "wharf", "disk": "ssd"}},
        "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3"}}})
}

fn pod(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "d", "uid": name, "labels": {"app": name}}, "spec": spec})
}

fn wants(memory: &str) -> Value {
    json!({"containers": [{"name": "c", "resources": {"requests": {"memory": memory}}}]})
}

fn placed(world: &TestWorld, name: &str) -> Result<String, String> {
    let pod = world.get(POD, "d", name).expect("pod");
    match pod.condition("PodScheduled") {
        Some(condition) if pod.text("spec.nodeName").is_empty() => Err(condition.text("message").to_owned()),
        _ => Ok(pod.text("spec.nodeName").to_owned()),
    }
}

#[test]
fn a_pod_that_wants_more_than_there_is_says_so_and_goes_when_there_is_room() {
    let mut world = TestWorld::with(&[(NODE, node()), (POD, pod("a", wants("800Mi"))), (POD, pod("b", wants("800Mi")))]);
    world.settle(&CONTROLLER);
    assert_eq!(placed(&world, "a"), Ok("wharf".to_owned()));
    assert_eq!(placed(&world, "b"), Err("0/1 nodes are available: 1 Insufficient memory.".to_owned()));
    assert_eq!(world.events.iter().filter(|(reason, _)| reason == "FailedScheduling").count(), 1, "told once");
    world.remove(POD, "d", "a");
    world.settle(&CONTROLLER);
    assert_eq!(world.get(POD, "d", "b").expect("pod").text("spec.nodeName"), "wharf");
}

#[test]
fn selectors_ports_and_anti_affinity_are_kept() {
    let mut spec = wants("1Mi");
    spec["nodeSelector"] = json!({"disk": "tape"});
    let mut port = wants("1Mi");
    port["containers"][0]["ports"] = json!([{"hostPort": 80}]);
    let mut apart = wants("1Mi");
    apart["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "port"}}}]}});
    let mut world = TestWorld::with(&[(NODE, node()), (POD, pod("tape", spec)), (POD, pod("port", port.clone()))]);
    world.settle(&CONTROLLER);
    assert!(placed(&world, "tape").expect_err("nowhere").contains("node affinity/selector"));
    assert!(placed(&world, "port").is_ok());
    world.put(POD, pod("port2", port));
    world.put(POD, pod("apart", apart));
    world.settle(&CONTROLLER);
    assert!(placed(&world, "port2").expect_err("taken").contains("free ports"));
    assert!(placed(&world, "apart").expect_err("apart").contains("anti-affinity"));
}

#[test]
fn a_claim_is_told_its_node_and_the_pod_waits_until_it_is_bound() {
    let class = json!({"metadata": {"name": "local"}, "volumeBindingMode": "WaitForFirstConsumer"});
    let claim = json!({"metadata": {"name": "data", "namespace": "d"}, "spec": {"storageClassName": "local"}});
    let mut spec = wants("1Mi");
    spec["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let mut world = TestWorld::with(&[(NODE, node()), (STORAGE_CLASS, class), (PERSISTENT_VOLUME_CLAIM, claim), (POD, pod("a", spec))]);
    world.settle(&CONTROLLER);
    assert_eq!(placed(&world, "a"), Ok(String::new()));
    assert_eq!(world.get(PERSISTENT_VOLUME_CLAIM, "d", "data").expect("claim").annotation(SELECTED_NODE), Some("wharf"));
    world.change(PERSISTENT_VOLUME_CLAIM, "d", "data", |claim| claim.set("status.phase", "Bound"));
    world.settle(&CONTROLLER);
    assert_eq!(placed(&world, "a"), Ok("wharf".to_owned()));
}
