//! Probes and hooks.

use super::*;

#[test]
fn readiness_is_asked_at_once_then_often_then_by_its_period() {
    let mut sim = Sim::new(one(json!({"readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 5}})));
    sim.ready_sandbox();
    sim.started("c");
    let probe = PodAction::Probe { container: "c".into(), attempt: 0, kind: ProbeKind::Readiness };
    assert!(sim.take().contains(&probe), "in the very step of the start");
    let mut asked = vec![];
    for _ in 0..60 {
        let before = sim.now;
        sim.probed("c", ProbeKind::Readiness, Err("refused".into()));
        while sim.take().is_empty() {
            sim.pass(1);
        }
        asked.push(u64::try_from(sim.now.since(before).as_millis()).expect("small"));
    }
    assert_eq!((asked[0], asked.iter().max()), (5, Some(&100)), "{asked:?}");
    let told = |sim: &Sim| sim.events.iter().filter(|reason| *reason == "Unhealthy").count();
    assert_eq!(told(&sim), 0, "that it is not there at once is no news");
    sim.pass(5_000);
    sim.probed("c", ProbeKind::Readiness, Err("refused".into()));
    sim.pass(100);
    sim.probed("c", ProbeKind::Readiness, Err("refused".into()));
    assert_eq!(told(&sim), 1, "told once a period");
    sim.take();
    sim.probed("c", ProbeKind::Readiness, Ok(()));
    assert!(sim.state.containers["c"].ready_passed);
    sim.pass(4_999);
    assert_eq!(sim.take(), []);
    sim.pass(1);
    assert_eq!(sim.take(), [probe]);
    for _ in 0..3 {
        assert!(sim.state.containers["c"].ready_passed);
        sim.probed("c", ProbeKind::Readiness, Err("refused".into()));
        sim.pass(5_000);
    }
    assert!(!sim.state.containers["c"].ready_passed, "three failures in a row");
}

#[test]
fn liveness_waits_for_startup_and_its_failure_restarts_with_the_probes_own_grace() {
    let probes = json!({"startupProbe": {"tcpSocket": {"port": 1}, "failureThreshold": 2, "periodSeconds": 1},
        "livenessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 2, "terminationGracePeriodSeconds": 3}});
    let mut sim = Sim::new(one(probes));
    sim.ready_sandbox();
    sim.started("c");
    let kinds = |actions: Vec<PodAction>| -> Vec<ProbeKind> {
        actions.into_iter().filter_map(|action| if let PodAction::Probe { kind, .. } = action { Some(kind) } else { None }).collect()
    };
    assert_eq!(kinds(sim.take()), [ProbeKind::Startup]);
    sim.probed("c", ProbeKind::Startup, Ok(()));
    assert_eq!(kinds(sim.take()), [ProbeKind::Liveness]);
    sim.probed("c", ProbeKind::Liveness, Err("no".into()));
    sim.pass(1_000);
    sim.take();
    sim.probed("c", ProbeKind::Liveness, Err("no".into()));
    assert_eq!(sim.take(), [PodAction::Terminate { container: "c".into() }]);
    sim.pass(3_000);
    assert_eq!(sim.take(), [PodAction::Kill { container: "c".into() }]);
    sim.exited("c", 137);
    assert_eq!(sim.starts(), ["c"]);
    assert!(sim.events.contains(&"Killing".to_owned()) && sim.events.contains(&"Unhealthy".to_owned()));
}

#[test]
fn eager_startup_probes_do_not_spend_the_budget_of_failures() {
    let mut sim = Sim::new(one(json!({"startupProbe": {"tcpSocket": {"port": 1}, "failureThreshold": 3, "periodSeconds": 2}})));
    sim.ready_sandbox();
    sim.started("c");
    let begun = sim.now;
    while sim.state.containers["c"].stop.is_none() {
        if sim.take().iter().any(|action| matches!(action, PodAction::Probe { .. })) {
            sim.probed("c", ProbeKind::Startup, Err("no".into()));
        }
        sim.pass(5);
    }
    let took = sim.now.since(begun).as_millis();
    assert!((3_500..4_500).contains(&took), "three failures two seconds apart: {took}");
}

#[test]
fn a_failed_post_start_hook_kills_and_no_probe_counts_as_started_before_it_is_through() {
    let mut sim = Sim::new(one(json!({"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}})));
    sim.ready_sandbox();
    sim.take();
    sim.started("c");
    assert_eq!(sim.take(), [PodAction::RunHook { container: "c".into(), attempt: 0, hook: Hook::PostStart, timeout: None }]);
    assert!(!sim.state.containers["c"].started);
    sim.tell(&[News::HookDone { container: "c".into(), attempt: 0, hook: Hook::PostStart, result: Err("1".into()) }]);
    assert_eq!(sim.take(), [PodAction::Terminate { container: "c".into() }]);
    assert!(sim.events.contains(&"FailedPostStartHook".to_owned()));
}
