//! Scenarios on virtual time: a pod, what happens to it, and what must follow.

use super::*;
use crate::state::{EndStage, Stage, StopStep};
use k8s::Value;
use serde_json::json;
use std::sync::Arc;

/// One pod on a clock that moves by hand.
struct Sim {
    state: PodRuntimeState,
    pod: Pod,
    now: Timestamp,
    gone: bool,
    /// Actions not yet looked at; events apart.
    todo: Vec<PodAction>,
    events: Vec<String>,
}

impl Sim {
    fn new(spec: Value) -> Self {
        let object = json!({"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec});
        let now = Timestamp::from_micros(1_000_000_000);
        let mut sim = Self { state: Default::default(), pod: Pod::of(Arc::new(object)), now, gone: false, todo: vec![], events: vec![] };
        sim.tell(&[]);
        sim
    }

    fn tell(&mut self, news: &[News]) {
        let (state, actions) = step(std::mem::take(&mut self.state), &Observed { pod: &self.pod, gone: self.gone, news }, self.now);
        self.state = state;
        for action in actions {
            match action {
                PodAction::Event { reason, .. } => self.events.push(reason.to_owned()),
                other => self.todo.push(other),
            }
        }
    }

    fn take(&mut self) -> Vec<PodAction> {
        std::mem::take(&mut self.todo)
    }

    /// Moves time on, stepping at each wake-up on the way.
    fn pass(&mut self, millis: u64) {
        let until = self.now.plus(Duration::from_millis(millis));
        while let Some(wake) = self.state.wake.filter(|wake| *wake <= until) {
            self.now = wake.max(self.now);
            self.tell(&[]);
            assert!(self.state.wake.is_none_or(|next| next > self.now), "a wake-up in the past spins");
        }
        self.now = until;
    }

    fn ready_sandbox(&mut self) {
        self.tell(&[News::VolumesReady { refresh_at: None }, News::NetworkReady(Ipv4Addr::new(10, 42, 0, 5))]);
        self.tell(&[News::SandboxReady]);
    }

    fn started(&mut self, container: &str) {
        let attempt = self.state.containers[container].runs;
        let image = self.pod.container(container).expect("known").image.clone();
        let news = News::Started { container: container.into(), attempt, pid: 7, at: self.now, image_id: "sha256:1".into(), image };
        self.tell(&[news]);
    }

    fn exited(&mut self, container: &str, code: i32) {
        let attempt = self.state.containers[container].attempt().expect("ran");
        let exit = runtime::Exit { code, signal: None, oom_killed: false, started: self.now, finished: self.now };
        self.tell(&[News::Exited { container: container.into(), attempt, exit, message: String::new() }]);
    }

    fn probed(&mut self, container: &str, kind: ProbeKind, result: Result<(), String>) {
        let attempt = self.state.containers[container].attempt().expect("ran");
        self.tell(&[News::Probed { container: container.into(), attempt, kind, result }]);
    }

    fn delete(&mut self, grace: i64) {
        let mut object = (*self.pod.object).clone();
        object["metadata"]["deletionTimestamp"] = json!(self.now.rfc3339());
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        self.pod = Pod::of(Arc::new(object));
        self.tell(&[]);
    }

    fn starts(&mut self) -> Vec<String> {
        let starts = |action: PodAction| if let PodAction::Start { container, .. } = action { Some(container) } else { None };
        self.take().into_iter().filter_map(starts).collect()
    }

    fn reason(&self, container: &str) -> String {
        match &self.state.containers[container].stage {
            Stage::Waiting { reason, .. } => reason.clone(),
            other => format!("{other:?}"),
        }
    }
}

fn one(extra: Value) -> Value {
    let mut container = json!({"name": "c", "image": "i"});
    container.as_object_mut().expect("object").extend(extra.as_object().cloned().unwrap_or_default());
    json!({"containers": [container]})
}

fn start(container: &str, attempt: u32) -> PodAction {
    PodAction::Start { container: container.into(), attempt }
}

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
fn a_missing_image_shows_its_cause_then_the_back_off() {
    let mut sim = Sim::new(one(json!({})));
    sim.ready_sandbox();
    sim.take();
    let fault = |attempt| News::NotStarted { container: "c".into(), attempt, fault: StartFault::Image("ErrImagePull", "no such".into()) };
    sim.tell(&[fault(0)]);
    assert_eq!(sim.reason("c"), "ErrImagePull");
    sim.pass(2_000);
    assert_eq!(sim.reason("c"), "ImagePullBackOff");
    sim.pass(7_999);
    assert_eq!(sim.starts().len(), 0);
    sim.pass(1);
    assert_eq!(sim.starts(), ["c"]);
    sim.tell(&[fault(0)]);
    sim.tell(&[News::DependencyChanged]);
    assert_eq!(sim.starts(), ["c"], "an image that came is tried at once");
    assert_eq!(sim.state.containers["c"].runs, 0, "what never ran is no restart");
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
