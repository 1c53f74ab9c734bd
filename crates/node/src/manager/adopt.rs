//! The start of a node: what runs and should is adopted as it is, what should not is removed.

use super::{Manager, Slot, messages, record};
use crate::pod::Pod;
use crate::state::EndStage;
use crate::step::News;
use k8s::Fields;
use k8s::kinds::POD;
use runtime::ContainerState;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

impl Manager {
    pub(super) async fn adopt(&mut self) {
        let shared = self.shared.clone();
        let parts = &shared.parts;
        let mine = parts.cluster.list(POD, "").into_iter().filter(|object| object.text("spec.nodeName") == shared.config.name);
        let pods: Vec<Pod> = mine.map(Pod::of).collect();
        let links = parts.network.attached().await.unwrap_or_default();
        let running = parts.runtime.pods().await.unwrap_or_default();
        Self::remove_strangers(&shared, &pods, &links, &running).await;
        for pod in pods {
            let link = links.get(&pod.uid);
            self.adopt_pod(pod, link.map(|link| (link.address, link.netns.clone())), &running).await;
        }
    }

    async fn adopt_pod(&mut self, pod: Pod, link: Option<(Ipv4Addr, PathBuf)>, running: &[String]) {
        let uid = pod.uid.clone();
        let record = record::load(&self.shared.config, &uid);
        let known = running.contains(&uid);
        let had_record = record.is_some();
        let mut slot = Slot::new(pod, record.map(|record| record.state));
        slot.foreign = !had_record && slot.state.ending.as_ref().is_some_and(|ending| ending.stage == EndStage::Removed);
        slot.netns = link.as_ref().map(|(_, netns)| netns.clone());
        if had_record || known {
            let seen = self.shared.parts.runtime.state(&uid).await.unwrap_or(None);
            let containers = seen.iter().flat_map(|seen| &seen.containers);
            let ended = containers.filter_map(|(name, (attempt, state))| match state {
                ContainerState::Exited(exit) => {
                    Some((name.clone(), messages::read(&self.shared.config, &slot.pod, name, *attempt, exit.code)))
                }
                ContainerState::Running { .. } => None,
            });
            let messages: BTreeMap<String, String> = ended.collect();
            self.tell(&uid, News::Adopted { runtime: seen, messages, ip: link.map(|(address, _)| address) });
        } else {
            self.pending.entry(uid.clone()).or_default();
        }
        self.slots.insert(uid, slot);
    }

    /// Ends what the API does not know (any more): pods of the runtime, links, folders.
    async fn remove_strangers(shared: &super::Shared, pods: &[Pod], links: &BTreeMap<String, network::PodLink>, running: &[String]) {
        let wanted: BTreeSet<&str> = pods.iter().map(|pod| pod.uid.as_str()).collect();
        let folders = std::fs::read_dir(shared.config.pods()).into_iter().flatten().flatten();
        let folders: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let found = running.iter().chain(links.keys()).chain(&folders).map(String::as_str);
        let strangers: BTreeSet<&str> = found.filter(|id| !wanted.contains(id) && is_uid(id)).collect();
        for uid in strangers {
            let _ = shared.parts.runtime.remove_pod(uid).await;
            let _ = shared.parts.network.detach(uid).await;
            let name = record::load(&shared.config, uid).map(|record| (record.namespace, record.name));
            let name = name.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
            record::remove(&shared.config, uid, name);
        }
    }
}

/// Whether an id is a pod's: steps of the builder have names of their own, and are not ours to end.
fn is_uid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}
