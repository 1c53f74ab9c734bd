//! Volumes, link, shim, and init containers in order.

use super::*;

#[test]
fn volumes_and_link_come_together_then_the_shim_then_containers() {
    let mut sim = Sim::new(one(json!({})));
    assert_eq!(sim.take(), [PodAction::PrepareVolumes, PodAction::AttachNetwork]);
    sim.tell(&[News::NetworkReady(Ipv4Addr::new(10, 42, 0, 5))]);
    assert_eq!(sim.take(), [PodAction::CreateSandbox { replace: false }]);
    sim.tell(&[News::SandboxReady]);
    assert_eq!(sim.take(), []);
    sim.tell(&[News::VolumesReady { refresh_at: None }]);
    assert_eq!(sim.take(), [start("c", 0)]);
    sim.started("c");
    assert!(sim.state.containers["c"].started);
    assert_eq!(sim.events, ["Pulled", "Created", "Started"]);
    assert_eq!(sim.state.wake, None, "an idle pod without probes never wakes the node");
}

#[test]
fn a_failed_mount_is_tried_again_slower_and_slower_or_when_something_changes() {
    let mut sim = Sim::new(one(json!({})));
    sim.take();
    for delay in [500, 1_000, 2_000] {
        sim.tell(&[News::VolumesFailed("no".into())]);
        sim.pass(delay - 1);
        assert_eq!(sim.take().len(), 0);
        sim.pass(1);
        assert_eq!(sim.take(), [PodAction::PrepareVolumes]);
    }
    sim.tell(&[News::VolumesFailed("no".into())]);
    sim.tell(&[News::DependencyChanged]);
    assert_eq!(sim.take(), [PodAction::PrepareVolumes]);
}

#[test]
fn init_containers_run_in_order_and_sidecars_stay() {
    let init = json!([{"name": "i1", "image": "i"}, {"name": "s", "image": "i", "restartPolicy": "Always",
        "startupProbe": {"tcpSocket": {"port": 1}}}, {"name": "i2", "image": "i"}]);
    let mut sim = Sim::new(json!({"initContainers": init, "containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}));
    sim.ready_sandbox();
    assert_eq!(sim.starts(), ["i1"]);
    sim.started("i1");
    sim.exited("i1", 1);
    assert_eq!(sim.starts(), ["i1"], "a failed one is tried again");
    sim.started("i1");
    sim.exited("i1", 0);
    assert_eq!(sim.starts(), ["s"]);
    sim.started("s");
    assert_eq!(sim.starts().len(), 0, "the startup probe is awaited");
    sim.probed("s", ProbeKind::Startup, Ok(()));
    assert_eq!(sim.starts(), ["i2"]);
    sim.started("i2");
    sim.exited("i2", 0);
    assert_eq!(sim.starts(), ["a", "b"]);
    sim.started("a");
    sim.started("b");
    sim.exited("s", 0);
    assert_eq!(sim.starts(), ["s"], "a sidecar is started again whatever its code");
}
