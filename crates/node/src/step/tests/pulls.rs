//! Images that are to be pulled: one action with one observation at its end, and back-offs as the kubelet has them.

use super::*;
use crate::images::{PulledImage, ResolvedImage};

fn wanted(sim: &mut Sim, container: &str) {
    let (attempt, image) = (sim.state.containers[container].runs, sim.pod.container(container).expect("known").image.clone());
    sim.tell(&[News::ImageWanted { container: container.into(), attempt, image, secrets: None }]);
}

fn failed(sim: &mut Sim, container: &str, why: &str) {
    let (attempt, image) = (sim.state.containers[container].runs, sim.pod.container(container).expect("known").image.clone());
    sim.tell(&[News::ImagePulled { container: container.into(), attempt, image, result: Err(ImageError::Pull(why.into())) }]);
}

fn brought(sim: &mut Sim, container: &str) -> Box<ResolvedImage> {
    let (attempt, image) = (sim.state.containers[container].runs, sim.pod.container(container).expect("known").image.clone());
    let resolved = ResolvedImage { image_id: "sha256:2".into(), reference: format!("r/{image}@sha256:1"), ..ResolvedImage::default() };
    let took = Duration::from_millis(20);
    let pulled = Box::new(PulledImage { image: resolved.clone(), took, in_all: took, bytes: 7 });
    sim.tell(&[News::ImagePulled { container: container.into(), attempt, image, result: Ok(pulled) }]);
    Box::new(resolved)
}

fn pull(container: &str) -> PodAction {
    PodAction::Pull { container: container.into(), attempt: 0 }
}

fn ready(spec: Value) -> Sim {
    let mut sim = Sim::new(spec);
    sim.ready_sandbox();
    sim.take();
    sim.events.clear();
    sim
}

fn message(sim: &Sim, container: &str) -> String {
    match &sim.state.containers[container].stage {
        Stage::Waiting { message, .. } => message.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_was_pulled_is_what_starts() {
    let mut sim = ready(one(json!({})));
    wanted(&mut sim, "c");
    assert_eq!(sim.take(), [pull("c")]);
    sim.pass(3_600_000);
    assert_eq!(sim.take(), [], "however long it takes");
    let image = brought(&mut sim, "c");
    assert_eq!(sim.take(), [PodAction::Start { container: "c".into(), attempt: 0, image: Some(image) }]);
    sim.started("c");
    assert_eq!(sim.events, ["Pulling", "Pulled", "Created", "Started"]);
    sim.exited("c", 1);
    assert_eq!(sim.take(), [start("c", 1)], "the next start asks anew");
    wanted(&mut sim, "c");
    brought(&mut sim, "c");
    sim.take();
    sim.tell(&[News::NotStarted { container: "c".into(), attempt: 1, fault: StartFault::Config("no key".into()) }]);
    sim.pass(10_000);
    assert_eq!(sim.take(), [start("c", 1)], "and so does one that did not come about");
}

#[test]
fn a_failed_pull_shows_its_cause_then_the_back_off_which_doubles_to_five_minutes() {
    let mut sim = ready(one(json!({})));
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        wanted(&mut sim, "c");
        assert_eq!(sim.take(), [pull("c")]);
        failed(&mut sim, "c", "no such image");
        assert_eq!((sim.reason("c"), message(&sim, "c")), ("ErrImagePull".into(), "no such image".into()));
        sim.pass(2_000);
        assert_eq!(sim.reason("c"), "ImagePullBackOff");
        assert_eq!(message(&sim, "c"), "Back-off pulling image \"i\": ErrImagePull: no such image");
        sim.pass(seconds * 1_000 - 2_001);
        assert_eq!(sim.starts().len(), 0, "{seconds}");
        sim.pass(1);
        assert_eq!(sim.starts(), ["c"], "{seconds}");
    }
    assert_eq!(sim.events[..5], ["Pulling", "Failed", "Failed", "BackOff", "Failed"]);
    assert_eq!(sim.state.containers["c"].runs, 0, "what never ran is no restart");
    brought(&mut sim, "c");
    assert_eq!(sim.starts().len(), 0, "an answer to another question");
}

#[test]
fn ten_good_minutes_are_a_fresh_start() {
    let mut sim = ready(one(json!({})));
    for _ in 0..4 {
        wanted(&mut sim, "c");
        failed(&mut sim, "c", "no");
        sim.pass(80_000);
    }
    sim.take();
    wanted(&mut sim, "c");
    brought(&mut sim, "c");
    sim.started("c");
    sim.pass(601_000);
    sim.exited("c", 1);
    wanted(&mut sim, "c");
    assert!(sim.state.pulls.is_empty());
    sim.take();
    failed(&mut sim, "c", "no");
    sim.pass(9_999);
    assert_eq!(sim.starts().len(), 0);
    sim.pass(1);
    assert_eq!(sim.starts(), ["c"]);
}

#[test]
fn containers_of_a_pod_wait_together_for_one_image_and_not_for_another() {
    let containers = json!([{"name": "a", "image": "i"}, {"name": "b", "image": "i"}, {"name": "c", "image": "other"}]);
    let mut sim = ready(json!({"containers": containers}));
    wanted(&mut sim, "a");
    failed(&mut sim, "a", "down");
    sim.pass(5_000);
    sim.take();
    wanted(&mut sim, "b");
    wanted(&mut sim, "c");
    assert_eq!(sim.take(), [pull("c")]);
    assert_eq!((sim.reason("b"), message(&sim, "b")), ("ImagePullBackOff".into(), message(&sim, "a")));
    sim.pass(5_000);
    assert_eq!(sim.starts(), ["a", "b"]);
}

#[test]
fn news_ends_the_wait_a_changed_secret_the_back_off_too() {
    let mut sim = ready(one(json!({})));
    wanted(&mut sim, "c");
    failed(&mut sim, "c", "denied");
    sim.take();
    sim.tell(&[News::DependencyChanged]);
    assert_eq!(sim.starts(), ["c"], "an image that came is found at once");
    wanted(&mut sim, "c");
    assert_eq!((sim.take(), sim.reason("c")), (vec![], "ImagePullBackOff".into()), "and the registry is left alone");
    sim.tell(&[News::PullSecretChanged]);
    assert_eq!(sim.starts(), ["c"]);
    wanted(&mut sim, "c");
    assert_eq!(sim.take(), [pull("c")]);
}

#[test]
fn another_image_is_tried_at_once() {
    let mut sim = ready(one(json!({})));
    wanted(&mut sim, "c");
    failed(&mut sim, "c", "no");
    sim.take();
    sim.change(|spec| spec["containers"][0]["image"] = json!("j"));
    assert_eq!(sim.starts(), ["c"]);
    wanted(&mut sim, "c");
    sim.take();
    sim.change(|spec| spec["containers"][0]["image"] = json!("k"));
    let attempt = 0;
    let image = ResolvedImage::default();
    let pulled = Box::new(PulledImage { image, took: Duration::ZERO, in_all: Duration::ZERO, bytes: 0 });
    sim.tell(&[News::ImagePulled { container: "c".into(), attempt, image: "j".into(), result: Ok(pulled) }]);
    assert_eq!(sim.take(), [start("c", 0)], "what came is no longer asked for");
}

#[test]
fn what_is_not_to_be_pulled_or_no_name_says_so() {
    for (error, reason, event, seconds) in [
        (ImageError::NeverPull("i".into()), "ErrImageNeverPull", "ErrImageNeverPull", 10),
        (ImageError::InvalidName("`I` is no name".into()), "InvalidImageName", "InspectFailed", 300),
    ] {
        let mut sim = ready(one(json!({})));
        for _ in 0..3 {
            sim.tell(&[News::NotStarted { container: "c".into(), attempt: 0, fault: StartFault::Image(error.clone()) }]);
            assert_eq!((sim.reason("c").as_str(), message(&sim, "c")), (reason, error.to_string()));
            sim.pass(seconds * 1_000 - 1);
            assert_eq!(sim.starts().len(), 0);
            sim.pass(1);
            assert_eq!(sim.starts(), ["c"]);
        }
        assert_eq!(sim.events[..2], [event, "Failed"]);
    }
}

#[test]
fn a_pod_ends_without_waiting_for_its_pull() {
    let mut sim = ready(one(json!({})));
    wanted(&mut sim, "c");
    sim.take();
    sim.delete(30);
    assert_eq!(sim.take(), [PodAction::Withdraw(Ipv4Addr::new(10, 42, 0, 5))]);
    sim.tell(&[News::Withdrawn(Ok(()))]);
    assert_eq!(sim.take(), [PodAction::Remove]);
    brought(&mut sim, "c");
    assert_eq!(sim.take(), []);
}

#[test]
fn restarts_wait_no_longer_because_their_image_is_pulled() {
    let mut sim = ready(one(json!({})));
    let run = |sim: &mut Sim| {
        wanted(sim, "c");
        brought(sim, "c");
        sim.started("c");
        sim.take();
        sim.exited("c", 1);
    };
    run(&mut sim);
    assert_eq!(sim.starts(), ["c"]);
    for seconds in [10, 20, 40] {
        run(&mut sim);
        sim.pass(seconds * 1_000 - 1);
        assert_eq!(sim.starts().len(), 0, "{seconds}");
        sim.pass(1);
        assert_eq!(sim.starts(), ["c"], "{seconds}");
    }
}

#[test]
fn a_killed_engine_asks_again() {
    let mut sim = ready(one(json!({})));
    wanted(&mut sim, "c");
    failed(&mut sim, "c", "no");
    sim.pass(10_000);
    wanted(&mut sim, "c");
    sim.take();
    let kept = serde_json::to_vec(&sim.state).expect("JSON");
    sim.state = serde_json::from_slice(&kept).expect("a state");
    let runtime = Some(runtime::PodState { shim_pid: Some(3), containers: Default::default() });
    sim.tell(&[News::Adopted { runtime, messages: Default::default(), ip: Some(Ipv4Addr::new(10, 42, 0, 5)) }]);
    sim.tell(&[News::VolumesReady { refresh_at: None }]);
    assert_eq!(sim.starts(), ["c"]);
    wanted(&mut sim, "c");
    sim.take();
    failed(&mut sim, "c", "no");
    sim.pass(19_999);
    assert_eq!(sim.starts().len(), 0, "the back-off outlives the engine");
    sim.pass(1);
    assert_eq!(sim.starts(), ["c"]);
}
