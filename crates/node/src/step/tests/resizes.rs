//! Resources that change, and containers that come later.

use super::*;
use crate::state::Resize;

fn limited(memory: &str) -> Value {
    json!({"limits": {"memory": memory}, "requests": {"memory": memory}})
}

fn resized(memory: &str, result: Result<(), ResizeFault>) -> News {
    News::Resized { container: "c".into(), attempt: 0, resources: limited(memory), result }
}

fn running(extra: Value) -> Sim {
    let mut sim = Sim::new(one(extra));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim
}

#[test]
fn resources_change_in_place() {
    let mut sim = running(json!({"resources": limited("64Mi")}));
    sim.change(|spec| spec["containers"][0]["resources"] = limited("128Mi"));
    assert_eq!(sim.take(), [PodAction::Resize { container: "c".into(), attempt: 0 }]);
    sim.tell(&[]);
    assert_eq!(sim.take(), [], "asked for once");
    assert_eq!(sim.state.containers["c"].resources, Some(limited("64Mi")), "until it is through");
    sim.tell(&[resized("128Mi", Ok(()))]);
    assert_eq!((sim.take(), sim.state.containers["c"].resources.clone()), (vec![], Some(limited("128Mi"))));
    assert_eq!(sim.state.containers["c"].runs, 1, "the same process");
}

#[test]
fn a_resize_that_fails_is_tried_again_unless_it_can_never_be() {
    let mut sim = running(json!({"resources": limited("64Mi")}));
    sim.change(|spec| spec["containers"][0]["resources"] = limited("1Mi"));
    sim.take();
    sim.tell(&[resized("1Mi", Err(ResizeFault::Error("in use".into())))]);
    sim.pass(9_999);
    assert_eq!(sim.take(), []);
    sim.pass(1);
    assert_eq!(sim.take(), [PodAction::Resize { container: "c".into(), attempt: 0 }]);
    sim.tell(&[resized("1Mi", Err(ResizeFault::Infeasible("too small a node".into())))]);
    sim.pass(600_000);
    assert_eq!(sim.take(), []);
    sim.change(|spec| spec["containers"][0]["resources"] = limited("64Mi"));
    assert_eq!((sim.take(), sim.state.containers["c"].resize.clone()), (vec![], Resize::Settled), "taken back");
    assert_eq!(sim.events.iter().filter(|event| event.starts_with("Resize")).count(), 2);
}

#[test]
fn where_the_policy_says_so_a_resize_is_a_restart() {
    let policy =
        json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"}]);
    let mut sim = running(json!({"resources": limited("64Mi"), "resizePolicy": policy}));
    sim.change(|spec| spec["containers"][0]["resources"]["limits"]["cpu"] = json!("1"));
    assert_eq!(sim.take(), [PodAction::Resize { container: "c".into(), attempt: 0 }]);
    let mut more = limited("64Mi");
    more["limits"]["cpu"] = json!("1");
    sim.tell(&[News::Resized { container: "c".into(), attempt: 0, resources: more, result: Ok(()) }]);
    sim.change(|spec| spec["containers"][0]["resources"] = limited("128Mi"));
    assert_eq!(sim.take(), [PodAction::Terminate { container: "c".into() }]);
    sim.exited("c", 143);
    assert_eq!(sim.take(), [start("c", 1)], "at once, whatever the back-off");
    sim.started("c");
    assert_eq!(sim.state.containers["c"].resources, Some(limited("128Mi")));
}

#[test]
fn an_ephemeral_container_starts_once_and_nobody_waits_for_it() {
    let mut sim = Sim::new(json!({"initContainers": [{"name": "i", "image": "i"}], "containers": [{"name": "c", "image": "i"}]}));
    sim.ready_sandbox();
    assert_eq!(sim.starts(), ["i"]);
    sim.change(|spec| spec["ephemeralContainers"] = json!([{"name": "debug", "image": "i"}]));
    assert_eq!(sim.starts(), ["debug"], "also beside an init container that hangs");
    sim.started("debug");
    sim.exited("debug", 1);
    sim.started("i");
    sim.exited("i", 0);
    assert_eq!(sim.starts(), ["c"], "it does not come again, and its failure is no failure of the pod");
    sim.started("c");
    sim.change(|spec| spec["ephemeralContainers"] = json!([{"name": "debug", "image": "i"}, {"name": "more", "image": "i"}]));
    assert_eq!(sim.starts(), ["more"]);
    sim.started("more");
    sim.delete(5);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    let told: Vec<_> = sim.take().into_iter().filter(|action| matches!(action, PodAction::Terminate { .. })).collect();
    assert_eq!(told.len(), 2, "it ends with the pod: {told:?}");
}
