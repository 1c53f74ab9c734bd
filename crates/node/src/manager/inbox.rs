//! What comes to the node: changes in the API, results of work, events of the runtime; each becomes news of a pod.

use super::{Manager, Message, Report, Slot, messages};
use crate::cluster::Change;
use crate::container::refs;
use crate::pod::Pod;
use crate::state::Stage;
use crate::step::News;
use k8s::{Fields, Value};
use runtime::RuntimeEvent;
use std::sync::Arc;
use std::time::Duration;

impl Manager {
    pub(super) fn of_api(&mut self, change: Change) {
        match change {
            Change::PodChanged(object) => self.of_pod(object),
            Change::PodGone { uid, .. } => {
                if let Some(slot) = self.slots.get_mut(&uid) {
                    slot.gone = true;
                    self.pending.entry(uid).or_default();
                }
            }
            Change::ConfigMapChanged { namespace, name } => self.of_dependency("ConfigMap", &namespace, &name),
            Change::SecretChanged { namespace, name } => self.of_dependency("Secret", &namespace, &name),
            Change::ClaimChanged { namespace, name } => self.of_dependency("PersistentVolumeClaim", &namespace, &name),
            Change::ImagesChanged => {
                let waits =
                    |slot: &Slot| slot.state.containers.values().any(|run| matches!(run.stage, Stage::Waiting { until: Some(_), .. }));
                let waiting: Vec<String> = self.slots.iter().filter(|(_, slot)| waits(slot)).map(|(uid, _)| uid.clone()).collect();
                for uid in waiting {
                    self.tell(&uid, News::DependencyChanged);
                }
            }
        }
    }

    pub(super) fn of_dependency(&mut self, kind: &'static str, namespace: &str, name: &str) {
        // A PersistentVolume has no namespace: it may be behind any claim.
        let needs = |slot: &Slot| {
            if namespace.is_empty() {
                slot.needs.iter().any(|(needed, _)| *needed == kind)
            } else {
                slot.pod.namespace == namespace && slot.needs.contains(&(kind, name.to_owned()))
            }
        };
        let touched: Vec<String> = self.slots.iter().filter(|(_, slot)| needs(slot)).map(|(uid, _)| uid.clone()).collect();
        for uid in touched {
            self.tell(&uid, News::DependencyChanged);
        }
        if kind == "Secret" {
            let pulls = |slot: &Slot| slot.pod.namespace == namespace && super::pull_secrets::names(&slot.pod).any(|pull| pull == name);
            let touched: Vec<String> = self.slots.iter().filter(|(_, slot)| pulls(slot)).map(|(uid, _)| uid.clone()).collect();
            for uid in touched {
                self.tell(&uid, News::PullSecretChanged);
            }
        }
    }

    pub(super) fn of_pod(&mut self, object: Arc<Value>) {
        if object.text("spec.nodeName") != self.shared.config.name {
            return;
        }
        let uid = object.uid().to_owned();
        match self.slots.get_mut(&uid) {
            Some(slot) => {
                let newer = Pod::of(object);
                // What the downward API shows of the pod itself.
                let shown = |pod: &Pod| (pod.object.at("metadata.labels").cloned(), pod.object.at("metadata.annotations").cloned());
                if shown(&newer) != shown(&slot.pod) {
                    self.pending.entry(uid.clone()).or_default().push(News::DependencyChanged);
                }
                slot.needs = refs::dependencies(&newer);
                slot.pod = Arc::new(newer);
            }
            None => {
                let slot = Slot::new(Pod::of(object), None);
                self.slots.insert(uid.clone(), slot);
            }
        }
        self.pending.entry(uid).or_default();
    }

    pub(super) fn of_work(&mut self, uid: &str, report: Report) {
        let Some(slot) = self.slots.get_mut(uid) else { return };
        let news = match report {
            Report::News(news) => news,
            Report::Volumes(prepared, refresh_at) => {
                slot.volumes = Arc::new(prepared);
                News::VolumesReady { refresh_at }
            }
            Report::Linked(link) => {
                slot.netns = Some(link.netns);
                News::NetworkReady(link.address)
            }
            Report::StatusWritten(written) => {
                slot.writing = false;
                if !written {
                    slot.unwritten = true;
                    slot.retry_status_at = Some(self.shared.parts.clock.now().plus(Duration::from_secs(1)));
                }
                self.pending.entry(uid.to_owned()).or_default();
                return;
            }
            Report::Seen(seen) => return self.of_seen(uid, seen),
        };
        self.tell(uid, news);
    }

    /// The runtime's own view, asked for after events were missed.
    pub(super) fn of_seen(&mut self, uid: &str, seen: Option<runtime::PodState>) {
        let Some(seen) = seen.filter(|seen| seen.shim_pid.is_some()) else { return self.tell(uid, News::ShimGone) };
        for (container, (attempt, state)) in seen.containers {
            if let runtime::ContainerState::Exited(exit) = state {
                self.of_runtime(RuntimeEvent::Exited { pod: uid.to_owned(), container, attempt, exit });
            }
        }
    }

    pub(super) fn of_runtime(&mut self, event: RuntimeEvent) {
        match event {
            RuntimeEvent::ShimGone { pod } => {
                if self.slots.contains_key(&pod) {
                    self.tell(&pod, News::ShimGone);
                }
            }
            RuntimeEvent::Exited { pod, container, attempt, exit } => {
                let Some(slot) = self.slots.get(&pod) else { return };
                let message = messages::read(&self.shared.config, &slot.pod, &container, attempt, exit.code);
                self.tell(&pod, News::Exited { container, attempt, exit, message });
            }
        }
    }

    pub(super) fn look_again(&mut self) {
        for uid in self.slots.keys() {
            let (shared, uid) = (self.shared.clone(), uid.clone());
            let Some(inbox) = self.inbox.upgrade() else { return };
            tokio::spawn(async move {
                if let Ok(seen) = shared.parts.runtime.state(&uid).await {
                    let _ = inbox.send(Message::Report(uid, Report::Seen(seen)));
                }
            });
        }
    }
}
