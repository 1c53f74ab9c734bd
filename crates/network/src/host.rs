//! The pod network of this machine: links, rules and names, made for real, journaled, adopted, undone.

mod conntrack;
mod docker;
mod journal;
mod links;
mod settings;
mod state;

use crate::config::Config;
use crate::topology::{NetworkError, PodLink, PodNetwork, Topology};
use async_trait::async_trait;
pub(crate) use journal::names_file;
use state::State;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// The network of the machine, or of the network namespace of the thread that opened it.
#[derive(Clone, Debug)]
pub struct HostNetwork {
    config: Arc<Config>,
    state: Arc<Mutex<State>>,
}

/// Whether the kernel has the packet rules that everything here stands on, and lets us use them.
///
/// # Errors
/// What is missing, with the next step.
pub fn packet_rules() -> Result<(), NetworkError> {
    state::rules_socket().map(drop)
}

/// Makes a network namespace with nothing but its own loopback, kept by a mount on `path`; [`sys::netns::remove`] takes it away.
///
/// # Errors
/// What the kernel said.
pub fn alone(path: &std::path::Path) -> Result<(), NetworkError> {
    links::alone(path)
}

impl HostNetwork {
    /// Takes over what an earlier process left in the kernel, or begins anew. Connections and rules are not disturbed.
    /// A process at a time: the caller holds a lock on the home.
    ///
    /// # Errors
    /// When this process may not change the network, when the kernel lacks something, or the home cannot be written.
    pub fn open(config: Config) -> Result<Self, NetworkError> {
        let state = State::open(&config)?;
        Ok(Self { config: Arc::new(config), state: Arc::new(Mutex::new(state)) })
    }

    /// The names and numbers that it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    async fn with_state<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut State, &Config) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let (state, config) = (Arc::clone(&self.state), Arc::clone(&self.config));
        blocking(doing, move || {
            // State is changed only after the kernel has acknowledged, so a panic elsewhere leaves it whole.
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut state, &config)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, NetworkError> + Send + 'static,
) -> Result<T, NetworkError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(failed(doing, &error)))
}

#[async_trait]
impl PodNetwork for HostNetwork {
    async fn attach(&self, pod: &str) -> Result<PodLink, NetworkError> {
        let pod = pod.to_owned();
        // The journal is written under the lock, the link made outside of it: pods start side by side.
        let reserved = self.with_state("attach a pod", move |state, config| state.reserve(config, &pod)).await?;
        if let Some(link) = reserved.link {
            return Ok(link);
        }
        let (config, record) = (Arc::clone(&self.config), reserved.record.clone());
        let made = blocking("attach a pod", move || links::make(&config, &record)).await;
        self.with_state("attach a pod", move |state, config| match made {
            Ok(()) => state.attached(config, reserved.record),
            Err(error) => {
                state.detach(config, &reserved.record.pod)?;
                Err(error)
            }
        })
        .await
    }

    async fn detach(&self, pod: &str) -> Result<(), NetworkError> {
        let pod = pod.to_owned();
        self.with_state("detach a pod", move |state, config| state.detach(config, &pod)).await
    }

    async fn withdraw(&self, address: Ipv4Addr) -> Result<(), NetworkError> {
        self.with_state("withdraw an address", move |state, config| state.withdraw(config, address)).await
    }

    async fn apply(&self, topology: Topology) -> Result<(), NetworkError> {
        self.with_state("apply the rules", move |state, config| state.apply(config, topology)).await
    }

    async fn attached(&self) -> Result<BTreeMap<String, PodLink>, NetworkError> {
        self.with_state("list the pods", |state, config| Ok(state.links(config))).await
    }

    async fn teardown(&self) -> Result<(), NetworkError> {
        self.with_state("undo the network", |state, config| state.teardown(config)).await
    }
}

fn failed(doing: impl Into<String>, reason: &impl ToString) -> NetworkError {
    NetworkError { doing: doing.into(), reason: reason.to_string() }
}
