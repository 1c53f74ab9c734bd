//! What the node keeps of one pod.

use super::record;
use crate::config::NodeConfig;
use crate::container::refs;
use crate::pod::Pod;
use crate::state::PodRuntimeState;
use crate::volumes::{Prepared, TokenCache};
use base::Timestamp;
use k8s::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// One pod.
pub(super) struct Slot {
    pub(super) pod: Arc<Pod>,
    pub(super) gone: bool,
    pub(super) state: PodRuntimeState,
    pub(super) volumes: Arc<Prepared>,
    pub(super) netns: Option<PathBuf>,
    pub(super) tokens: Arc<tokio::sync::Mutex<TokenCache>>,
    pub(super) needs: BTreeSet<(&'static str, String)>,
    /// Over before this node knew it: its status is not ours to write.
    pub(super) foreign: bool,
    pub(super) stored: Vec<u8>,
    pub(super) status: Option<Value>,
    pub(super) unwritten: bool,
    pub(super) writing: bool,
    pub(super) retry_status_at: Option<Timestamp>,
    /// When a status that waits for what is under way is written all the same.
    pub(super) hold_until: Option<Timestamp>,
    pub(super) timer: Option<Timestamp>,
}

impl Slot {
    pub(super) fn new(pod: Pod, state: Option<PodRuntimeState>) -> Self {
        Self {
            gone: false,
            foreign: false,
            needs: refs::dependencies(&pod),
            state: state.unwrap_or_else(|| record::from_api(&pod)),
            pod: Arc::new(pod),
            volumes: Arc::default(),
            netns: None,
            tokens: Arc::default(),
            stored: Vec::new(),
            status: None,
            unwritten: false,
            writing: false,
            retry_status_at: None,
            hold_until: None,
            timer: None,
        }
    }

    pub(super) fn ip(&self, config: &NodeConfig) -> Option<IpAddr> {
        if self.pod.host_network { Some(config.address) } else { self.state.ip.map(IpAddr::V4) }
    }
}
