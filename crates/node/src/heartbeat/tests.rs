//! The Node object as it comes to the API.

use super::*;
use crate::manager::NodeManager;
use crate::testing::{World, config};

#[tokio::test]
async fn a_node_registers_keeps_what_others_wrote_and_beats() {
    let world = World::new();
    world.cluster.put(
        NODE,
        json!({"metadata": {"name": "wharf", "labels": {"own": "1"}}, "spec": {"unschedulable": true},
        "status": {"volumesInUse": ["x"]}}),
    );
    let node = NodeManager::start(world.config.clone(), world.parts()).await;
    let seen = crate::Cluster::get(&*world.cluster, NODE, "", "wharf").expect("there");
    assert_eq!(seen.label("own"), Some("1"));
    assert_eq!(seen.label("kubernetes.io/hostname"), Some("wharf"));
    assert!(seen.flag("spec.unschedulable"));
    assert_eq!(seen.items("status.volumesInUse").len(), 1);
    assert_eq!(seen.condition("Ready").map(|ready| ready.text("status")), Some("True"));
    assert_eq!(seen.text("status.capacity.cpu"), "4");
    assert_eq!(seen.text("status.allocatable.memory"), format!("{}Ki", 7 << 20));
    let lease = crate::Cluster::get(&*world.cluster, LEASE, LEASE_NAMESPACE, "wharf").expect("there");
    assert_eq!(lease.text("spec.holderIdentity"), "wharf");
    assert_eq!(*world.cluster.writes.lock().expect("whole"), ["Node"]);
    node.stop().await;
}

#[test]
fn times_of_transition_stand() {
    let config = config();
    let machine = Machine::default();
    let first = node_object(&config, &machine, None, Timestamp::from_micros(0));
    let second = node_object(&config, &machine, Some(&first), Timestamp::from_micros(60_000_000));
    let ready = second.condition("Ready").expect("there");
    assert_eq!(ready.text("lastTransitionTime"), "1970-01-01T00:00:00Z");
    assert_eq!(ready.text("lastHeartbeatTime"), "1970-01-01T00:01:00Z");
}
