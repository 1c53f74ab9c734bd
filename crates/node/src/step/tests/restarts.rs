//! Ends, back-off, and what cannot be started.

use super::*;

#[test]
fn restart_policies_decide() {
    for (policy, code, restarts) in [
        ("Always", 0, true),
        ("Always", 1, true),
        ("OnFailure", 0, false),
        ("OnFailure", 1, true),
        ("Never", 0, false),
        ("Never", 1, false),
    ] {
        let mut spec = one(json!({}));
        spec["restartPolicy"] = json!(policy);
        let mut sim = Sim::new(spec);
        sim.ready_sandbox();
        sim.started("c");
        sim.take();
        sim.exited("c", code);
        assert_eq!(sim.take().contains(&start("c", 1)), restarts, "{policy} {code}");
        assert_eq!(sim.state.ending.is_some(), !restarts, "{policy} {code}");
    }
}

#[test]
fn back_off_is_none_then_ten_seconds_doubling_to_five_minutes_and_forgotten() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    sim.exited("c", 1);
    assert_eq!(sim.starts(), ["c"], "the first restart is immediate");
    sim.started("c");
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        sim.exited("c", 1);
        assert_eq!(sim.reason("c"), "CrashLoopBackOff");
        sim.pass(seconds * 1_000 - 1);
        assert_eq!(sim.starts().len(), 0, "{seconds}");
        sim.pass(1);
        assert_eq!(sim.starts(), ["c"], "{seconds}");
        sim.started("c");
    }
    sim.pass(601_000);
    sim.exited("c", 1);
    assert_eq!(sim.starts(), ["c"], "ten good minutes are a fresh start");
    assert_eq!(sim.state.containers["c"].runs, 9);
}

#[test]
fn a_program_that_does_not_start_counts_as_an_end_with_128() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    let fault = |attempt| News::NotStarted { container: "c".into(), attempt, fault: StartFault::Program("no such file".into()) };
    sim.tell(&[fault(0)]);
    assert_eq!(sim.starts().len(), 2, "first start and immediate restart");
    sim.tell(&[fault(1)]);
    assert_eq!(sim.reason("c"), "RunContainerError");
    assert_eq!(sim.state.containers["c"].ended.as_ref().map(|ended| (ended.code, ended.reason.as_str())), Some((128, "StartError")));
    sim.pass(10_000);
    assert_eq!(sim.starts(), ["c"]);
}

#[test]
fn an_exit_told_before_the_start_is_not_lost() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    let exit = runtime::Exit { code: 3, signal: None, oom_killed: true, started: sim.now, finished: sim.now };
    sim.tell(&[News::Exited { container: "c".into(), attempt: 0, exit, message: String::new() }]);
    sim.take();
    sim.started("c");
    assert_eq!(sim.starts(), ["c"]);
    assert_eq!(sim.state.containers["c"].ended.as_ref().map(|ended| ended.reason.as_str()), Some("OOMKilled"));
}

#[test]
fn a_changed_image_replaces_the_container_at_once() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.started("c");
    sim.take();
    let mut object = (*sim.pod.object).clone();
    object["spec"]["containers"][0]["image"] = json!("other");
    sim.pod = Pod::of(Arc::new(object));
    sim.tell(&[]);
    assert_eq!(sim.take(), [PodAction::Terminate { container: "c".into() }]);
    sim.exited("c", 143);
    assert_eq!(sim.take(), [start("c", 1)]);
}
