//! Ending what runs: in order when the engine is stopped, without a trace when it is reset.

use super::{Config, names, parts};
use crate::lock::HomeLock;
use apiserver::Api;
use base::{Problem, ProblemKind};
use k8s::Fields;
use k8s::kinds::POD;
use network::PodNetwork;
use runtime::{ContainerState, Runtime, RuntimeEvent};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// All pods that run.
pub struct Pods<'a> {
    /// Knows how long each may take.
    pub api: Api,
    /// Runs them.
    pub runtime: &'a dyn Runtime,
    /// Links them.
    pub network: &'a dyn PodNetwork,
}

const TERMINATE: i32 = 15;
/// No pod holds the engine up for longer, whatever its own grace is.
const MOST_GRACE: Duration = Duration::from_secs(45);

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string())
}

impl Pods<'_> {
    /// Asks every pod to end, and removes it when it has or its grace is over.
    ///
    /// # Errors
    /// What cannot be removed.
    pub async fn end_all(&self) -> Result<(), Problem> {
        let attached = self.network.attached().await.map_err(|error| failed(&error))?;
        let pods = self.runtime.pods().await.map_err(|error| failed(&error))?;
        futures::future::join_all(pods.iter().map(|pod| self.end(pod))).await.into_iter().collect::<Result<(), Problem>>()?;
        for pod in attached.keys() {
            self.network.detach(pod).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    async fn end(&self, pod: &str) -> Result<(), Problem> {
        let deadline = Instant::now() + self.grace(pod);
        let mut events = self.runtime.events();
        for name in self.running(pod).await {
            // A container that has ended meanwhile need not be asked.
            let _ = self.runtime.signal(pod, &name, TERMINATE, false).await;
        }
        while !self.running(pod).await.is_empty() {
            match timeout_at(deadline, events.recv()).await {
                Ok(Ok(RuntimeEvent::ShimGone { pod: gone })) if gone == pod => break,
                Ok(Err(tokio::sync::broadcast::error::RecvError::Closed)) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.runtime.remove_pod(pod).await.map_err(|error| failed(&error))
    }

    async fn running(&self, pod: &str) -> Vec<String> {
        let state = self.runtime.state(pod).await.ok().flatten();
        let containers = state.map_or_else(BTreeMap::new, |state| state.containers);
        containers.into_iter().filter(|(_, (_, state))| matches!(state, ContainerState::Running { .. })).map(|(name, _)| name).collect()
    }

    fn grace(&self, uid: &str) -> Duration {
        let pods = self.api.list(POD, None);
        let seconds = pods.iter().find(|pod| pod.uid() == uid).and_then(|pod| pod.int("spec.terminationGracePeriodSeconds")).unwrap_or(0);
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).min(MOST_GRACE)
    }
}

/// Removes all that an engine made on this machine and kept in its home, but for images. None may run.
///
/// # Errors
/// When one runs, or something does not go.
pub async fn reset(config: &Config) -> Result<(), Problem> {
    parts::require_root()?;
    let lock = HomeLock::take(&config.folder())?;
    names::stop(config);
    let runtime = parts::runtime(config).await?;
    for pod in runtime.pods().await.map_err(|error| failed(&error))? {
        runtime.remove_pod(&pod).await.map_err(|error| failed(&error))?;
    }
    let network = parts::network(config)?;
    network.teardown().await.map_err(|error| failed(&error))?;
    node::clean(&parts::node_config(config)).map_err(|error| failed(&error))?;
    drop(lock);
    for folder in ["shims", "pods", "logs", "volumes", "network", "releases", "engine", crate::registries::FOLDER] {
        let path = config.home.join(folder);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&format!("cannot remove `{}`: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}
