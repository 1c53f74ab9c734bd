//! How pods end.

use super::*;

#[test]
fn a_job_ends_and_takes_its_sidecar_along() {
    let mut sim = Sim::new(json!({"restartPolicy": "Never", "initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always"}],
        "containers": [{"name": "c", "image": "i"}]}));
    sim.ready_sandbox();
    sim.started("s");
    sim.take();
    sim.started("c");
    sim.exited("c", 0);
    assert_eq!(sim.take(), [PodAction::Withdraw(Ipv4Addr::new(10, 42, 0, 5))]);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    assert_eq!(sim.take(), [PodAction::Terminate { container: "s".into() }]);
    sim.exited("s", 143);
    assert_eq!(sim.take(), [PodAction::Remove]);
    sim.tell(&[News::Removed(Ok(()))]);
    assert_eq!(sim.take(), [], "the object stays until it is deleted");
    sim.delete(30);
    assert_eq!(sim.take(), [PodAction::Delete]);
    sim.tell(&[News::Deleted(Ok(()))]);
    assert_eq!(sim.take(), [], "a finalizer may still hold the object");
    sim.gone = true;
    sim.tell(&[]);
    assert_eq!(sim.take(), [PodAction::Forget]);
}

#[test]
fn a_deletion_goes_out_of_the_rules_first_then_hook_signal_kill_remove_delete() {
    let mut sim = Sim::new(one(json!({"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim.delete(30);
    assert_eq!(sim.take(), [PodAction::Withdraw(Ipv4Addr::new(10, 42, 0, 5))], "nothing is stopped before the rules are acknowledged");
    sim.tell(&[News::Withdrawn(Err("busy".into()))]);
    sim.pass(500);
    assert_eq!(sim.take(), [PodAction::Withdraw(Ipv4Addr::new(10, 42, 0, 5))]);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    let timeout = Some(Duration::from_millis(29_500));
    assert_eq!(sim.take(), [PodAction::RunHook { container: "c".into(), attempt: 0, hook: Hook::PreStop, timeout }]);
    sim.pass(1_000);
    sim.tell(&[News::HookDone { container: "c".into(), attempt: 0, hook: Hook::PreStop, result: Ok(()) }]);
    assert_eq!(sim.take(), [PodAction::Terminate { container: "c".into() }]);
    sim.pass(28_499);
    assert_eq!(sim.take(), []);
    sim.pass(1);
    assert_eq!(sim.take(), [PodAction::Kill { container: "c".into() }]);
    sim.exited("c", 137);
    assert_eq!(sim.take(), [PodAction::Remove]);
    sim.tell(&[News::Removed(Ok(()))]);
    assert_eq!(sim.take(), [PodAction::Delete]);
    sim.tell(&[News::Deleted(Ok(()))]);
    assert_eq!(sim.take(), [], "a finalizer may still hold the object");
    sim.gone = true;
    sim.tell(&[]);
    assert_eq!(sim.take(), [PodAction::Forget]);
    assert_eq!(sim.state.ending.as_ref().map(|ending| ending.stage), Some(EndStage::Gone));
}

#[test]
fn a_shorter_grace_shortens_a_stop_that_has_begun_and_a_vanished_object_gives_one_second() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim.delete(300);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    sim.take();
    sim.delete(5);
    sim.pass(5_000);
    assert_eq!(sim.take(), [PodAction::Kill { container: "c".into() }]);

    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim.gone = true;
    sim.tell(&[]);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    sim.pass(1_000);
    assert!(sim.take().contains(&PodAction::Kill { container: "c".into() }));
    sim.exited("c", 137);
    sim.tell(&[News::Removed(Ok(()))]);
    assert_eq!(sim.take(), [PodAction::Remove, PodAction::Forget], "what is gone already is not deleted");
}

#[test]
fn a_pod_deleted_while_it_is_made_waits_for_what_is_under_way() {
    let mut sim = Sim::new(one(json!({})));
    sim.take();
    sim.delete(30);
    assert_eq!(sim.take(), []);
    sim.tell(&[News::NetworkReady(Ipv4Addr::new(10, 42, 0, 5))]);
    assert_eq!(sim.take(), []);
    sim.tell(&[News::VolumesFailed("no".into())]);
    assert_eq!(sim.take(), [PodAction::Remove]);
}

#[test]
fn an_active_deadline_fails_the_pod() {
    let mut spec = one(json!({}));
    spec["activeDeadlineSeconds"] = json!(5);
    let mut sim = Sim::new(spec);
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim.pass(5_000);
    assert_eq!(sim.take(), [PodAction::Withdraw(Ipv4Addr::new(10, 42, 0, 5))]);
    assert_eq!(sim.state.failure.as_ref().map(|(reason, _)| reason.as_str()), Some("DeadlineExceeded"));
    sim.tell(&[News::Withdrawn(Ok(()))]);
    sim.exited("c", 0);
    assert_eq!(sim.starts().len(), 0, "a failed pod restarts nothing");
}
