//! Scenarios on virtual time: a pod, what happens to it, and what must follow.

mod adoption;
mod disk;
mod endings;
mod probes;
mod pulls;
mod resizes;
mod restarts;
mod setup;

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
        let resources = wanted_resources(self.pod.raw(self.pod.container(container).expect("known")));
        let (container, image_id) = (container.into(), "sha256:1".into());
        let news = News::Started { container, attempt, pid: 7, at: self.now, image_id, image, resources };
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

    /// Changes the object's spec.
    fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut object = (*self.pod.object).clone();
        change(&mut object["spec"]);
        self.pod = Pod::of(Arc::new(object));
        self.tell(&[]);
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
    PodAction::Start { container: container.into(), attempt, image: None }
}
