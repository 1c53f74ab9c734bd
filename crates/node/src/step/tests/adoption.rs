//! What an earlier process left, and shims that end.

use super::*;

#[test]
fn a_shim_that_ended_is_replaced_and_everything_runs_again_after_init() {
    let mut sim = Sim::new(json!({"initContainers": [{"name": "i", "image": "i"}], "containers": [{"name": "c", "image": "i"}]}));
    sim.ready_sandbox();
    sim.started("i");
    sim.exited("i", 0);
    sim.started("c");
    sim.take();
    sim.tell(&[News::ShimGone]);
    assert_eq!(sim.take(), [PodAction::CreateSandbox { replace: true }]);
    sim.tell(&[News::SandboxReady]);
    assert_eq!(sim.take(), [start("i", 1)]);
    sim.started("i");
    sim.exited("i", 0);
    assert_eq!(sim.take(), [start("c", 1)]);
    assert!(sim.events.contains(&"SandboxChanged".to_owned()));
}

#[test]
fn what_runs_is_adopted_as_it_is_and_what_ended_meanwhile_is_seen() {
    let mut sim = Sim::new(json!({"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]}));
    sim.ready_sandbox();
    sim.started("a");
    sim.started("b");
    let stored = serde_json::to_vec(&sim.state).expect("stored");
    sim.state = serde_json::from_slice(&stored).expect("read");
    sim.take();
    let exit = runtime::Exit { code: 1, signal: None, oom_killed: false, started: sim.now, finished: sim.now };
    let containers = [
        ("a".to_owned(), (0, runtime::ContainerState::Running { pid: 7, started: sim.now })),
        ("b".to_owned(), (0, runtime::ContainerState::Exited(exit))),
    ];
    let seen = runtime::PodState { shim_pid: Some(1), containers: containers.into() };
    sim.tell(&[News::Adopted { runtime: Some(seen), messages: Default::default(), ip: Some(Ipv4Addr::new(10, 42, 0, 5)) }]);
    assert_eq!(sim.take(), [PodAction::PrepareVolumes], "volumes are checked, nothing that runs is touched");
    assert!(matches!(sim.state.containers["a"].stage, Stage::Running { pid: 7, .. }));
    sim.tell(&[News::VolumesReady { refresh_at: None }]);
    assert_eq!(sim.take(), [start("b", 1)]);
}

#[test]
fn a_pod_whose_link_is_gone_is_made_anew() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    let containers = [("c".to_owned(), (0, runtime::ContainerState::Running { pid: 7, started: sim.now }))];
    let seen = runtime::PodState { shim_pid: Some(1), containers: containers.into() };
    sim.tell(&[News::Adopted { runtime: Some(seen), messages: Default::default(), ip: None }]);
    assert_eq!(sim.take(), [PodAction::PrepareVolumes, PodAction::AttachNetwork]);
    sim.ready_sandbox();
    assert_eq!(sim.take(), [PodAction::CreateSandbox { replace: true }, start("c", 1)]);
}

#[test]
fn a_stop_under_way_is_taken_up_again_after_adoption() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.delete(30);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    sim.take();
    let containers = [("c".to_owned(), (0, runtime::ContainerState::Running { pid: 7, started: sim.now }))];
    let seen = runtime::PodState { shim_pid: Some(1), containers: containers.into() };
    let ip = Ipv4Addr::new(10, 42, 0, 5);
    sim.tell(&[News::Adopted { runtime: Some(seen), messages: Default::default(), ip: Some(ip) }]);
    assert_eq!(sim.take(), [PodAction::Withdraw(ip)]);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    assert_eq!(sim.state.containers["c"].stop.as_ref().map(|stop| stop.step.clone()), Some(StopStep::Term));
    sim.pass(30_000);
    assert_eq!(sim.take(), [PodAction::Kill { container: "c".into() }]);
}

#[test]
fn what_ended_with_the_engine_starts_again_at_once() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.exited("c", 1);
    sim.started("c");
    assert!(!sim.state.containers["c"].backoff.delay.is_zero(), "it crashed before");
    sim.take();
    sim.tell(&[News::Adopted { runtime: None, messages: Default::default(), ip: None }]);
    sim.take();
    sim.ready_sandbox();
    assert!(sim.take().contains(&start("c", 2)));
}
