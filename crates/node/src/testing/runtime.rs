//! Pods that are only written down; containers run until they are told to end.

use super::Journal;
use async_trait::async_trait;
use base::{Clock, SystemClock};
use runtime::{
    ContainerSpec, ContainerState, ExecSpec, Exit, PodSpec, PodState, Resources, Runtime, RuntimeError, RuntimeEvent, Streams, Usage,
};
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::broadcast;

pub struct FakeRuntime {
    journal: Journal,
    pods: Mutex<BTreeMap<String, PodState>>,
    pub specs: Mutex<Vec<ContainerSpec>>,
    pub fail_start: Mutex<Option<RuntimeError>>,
    pub exec_code: Mutex<i32>,
    events: broadcast::Sender<RuntimeEvent>,
}

impl FakeRuntime {
    pub fn new(journal: Journal) -> Self {
        let events = broadcast::Sender::new(64);
        Self { journal, pods: Mutex::default(), specs: Mutex::default(), fail_start: Mutex::default(), exec_code: Mutex::default(), events }
    }

    fn note(&self, text: String) {
        self.journal.lock().expect("whole").push(text);
    }

    pub fn running(&self, pod: &str, container: &str) -> Option<u32> {
        match self.pods.lock().expect("whole").get(pod)?.containers.get(container)? {
            (attempt, ContainerState::Running { .. }) => Some(*attempt),
            _ => None,
        }
    }

    /// Ends a container's process.
    pub fn end(&self, pod: &str, container: &str, code: i32) {
        let now = SystemClock.now();
        let exit = Exit { code, signal: None, oom_killed: false, started: now, finished: now };
        let mut pods = self.pods.lock().expect("whole");
        let Some(seen) = pods.get_mut(pod).and_then(|pod| pod.containers.get_mut(container)) else { return };
        if let (attempt, state @ ContainerState::Running { .. }) = seen {
            *state = ContainerState::Exited(exit.clone());
            let event = RuntimeEvent::Exited { pod: pod.into(), container: container.into(), attempt: *attempt, exit };
            let _ = self.events.send(event);
        }
    }

    /// Ends a pod's shim.
    pub fn lose(&self, pod: &str) {
        if let Some(seen) = self.pods.lock().expect("whole").get_mut(pod) {
            seen.shim_pid = None;
            seen.containers.clear();
        }
        let _ = self.events.send(RuntimeEvent::ShimGone { pod: pod.into() });
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn create_pod(&self, spec: &PodSpec) -> Result<(), RuntimeError> {
        self.note(format!("create {}", spec.id));
        let fresh = PodState { shim_pid: Some(1), containers: BTreeMap::new() };
        self.pods.lock().expect("whole").entry(spec.id.clone()).or_insert(fresh);
        Ok(())
    }

    async fn start(&self, pod: &str, spec: &ContainerSpec) -> Result<u32, RuntimeError> {
        self.note(format!("start {} {}", spec.name, spec.attempt));
        if let Some(error) = self.fail_start.lock().expect("whole").clone() {
            return Err(error);
        }
        self.specs.lock().expect("whole").push(spec.clone());
        let state = ContainerState::Running { pid: 100 + spec.attempt, started: SystemClock.now() };
        let mut pods = self.pods.lock().expect("whole");
        let seen = pods.get_mut(pod).ok_or_else(|| RuntimeError::NotRunning(pod.to_owned()))?;
        seen.containers.insert(spec.name.clone(), (spec.attempt, state));
        Ok(100 + spec.attempt)
    }

    async fn signal(&self, pod: &str, container: &str, signal: i32, everyone: bool) -> Result<(), RuntimeError> {
        self.note(format!("signal {container} {signal}{}", if everyone { " everyone" } else { "" }));
        self.end(pod, container, 128 + signal);
        Ok(())
    }

    async fn exec(&self, _: &str, _: &str, _: &ExecSpec) -> Result<Streams, RuntimeError> {
        let (sender, exit) = tokio::sync::oneshot::channel();
        let _ = sender.send(Ok(*self.exec_code.lock().expect("whole")));
        Ok(Streams { stdin: None, stdout: Box::new(tokio::io::empty()), stderr: None, resize: None, exit })
    }

    async fn attach(&self, _: &str, container: &str) -> Result<Streams, RuntimeError> {
        Err(RuntimeError::NotRunning(container.to_owned()))
    }

    async fn state(&self, pod: &str) -> Result<Option<PodState>, RuntimeError> {
        Ok(self.pods.lock().expect("whole").get(pod).cloned())
    }

    async fn update(&self, _: &str, container: &str, resources: &Resources) -> Result<(), RuntimeError> {
        self.note(format!("update {container} {:?}", resources.memory_bytes));
        Ok(())
    }

    async fn update_pod(&self, _: &str, resources: &Resources) -> Result<(), RuntimeError> {
        self.note(format!("update pod {:?}", resources.memory_bytes));
        Ok(())
    }

    async fn remove_pod(&self, pod: &str) -> Result<(), RuntimeError> {
        self.note(format!("remove {pod}"));
        self.pods.lock().expect("whole").remove(pod);
        Ok(())
    }

    async fn pods(&self) -> Result<Vec<String>, RuntimeError> {
        Ok(self.pods.lock().expect("whole").keys().cloned().collect())
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.events.subscribe()
    }

    async fn usage(&self, _: &str, _: &str) -> Result<Usage, RuntimeError> {
        Ok(Usage::default())
    }
}
