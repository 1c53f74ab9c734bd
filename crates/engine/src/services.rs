//! Keeps services, policies and names in the kernel as the objects say.

use crate::objects::{Change, Objects};
use async_trait::async_trait;
use k8s::Fields;
use k8s::kinds::{ENDPOINT_SLICE, NAMESPACE, NETWORK_POLICY, POD, SERVICE};
use network::{NetworkError, PodLink, PodNetwork, Topology, topology_of};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The pod network with the objects' rules upon it.
///
/// A pod is attached only when the policies that concern it are in force, so that it is isolated from its first instant.
pub struct Services {
    network: Arc<dyn PodNetwork>,
    objects: Arc<dyn Objects>,
    attached: Mutex<BTreeMap<String, (String, Ipv4Addr)>>,
    wanted: Mutex<u64>,
    wake: Notify,
    applied: watch::Sender<(u64, Option<String>)>,
}

/// How long to wait before a refused batch is tried again.
const RETRY: Duration = Duration::from_secs(1);

impl Services {
    /// Over a network that is open. Nothing is applied before [`Services::run`].
    pub fn new(network: Arc<dyn PodNetwork>, objects: Arc<dyn Objects>) -> Self {
        Self {
            network,
            objects,
            attached: Mutex::default(),
            wanted: Mutex::new(1),
            wake: Notify::new(),
            applied: watch::Sender::new((0, None)),
        }
    }

    /// Whether a change may alter the rules.
    pub fn concerns(change: &Change) -> bool {
        [SERVICE, ENDPOINT_SLICE, NETWORK_POLICY, NAMESPACE, POD].contains(&change.kind)
    }

    /// Asks for the rules to be made anew; returns the number that [`Services::done`] waits for.
    pub fn ask(&self) -> u64 {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted += 1;
        self.wake.notify_one();
        *wanted
    }

    /// Returns when the kernel has acknowledged all that was there when `number` was given.
    ///
    /// # Errors
    /// When the batch was refused.
    pub async fn done(&self, number: u64) -> Result<(), NetworkError> {
        let mut applied = self.applied.subscribe();
        let state = applied.wait_for(|(done, _)| *done >= number).await;
        let refused = state.ok().and_then(|state| state.1.clone());
        refused.map_or(Ok(()), |reason| Err(NetworkError { doing: "apply the network's rules".to_owned(), reason }))
    }

    /// Applies what is asked for until dropped; changes that come together are applied together.
    pub async fn run(&self, told: impl Fn(&str)) {
        let mut last = None;
        let mut done = 0;
        loop {
            let number = *self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            if number == done {
                self.wake.notified().await;
                continue;
            }
            let wanted = self.topology();
            let refused = if last.as_ref() == Some(&wanted) { None } else { self.network.apply(wanted.clone()).await.err() };
            let retry = refused.is_some();
            if let Some(error) = &refused {
                told(&error.to_string());
                last = None;
            } else {
                last = Some(wanted);
            }
            done = number;
            self.applied.send_replace((number, refused.map(|error| error.to_string())));
            if retry {
                tokio::time::sleep(RETRY).await;
                self.ask();
            }
        }
    }

    /// Takes every endpoint out of every service: nothing new is routed to pods that are about to end. The next engine puts back what serves then.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub async fn close(&self) -> Result<(), NetworkError> {
        let mut topology = self.topology();
        for port in topology.services.values_mut().flat_map(|service| &mut service.ports) {
            port.endpoints.clear();
        }
        topology.host_ports.clear();
        self.network.apply(topology).await
    }

    fn topology(&self) -> Topology {
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        topology_of(&network::Objects {
            services: self.objects.list(SERVICE, None),
            endpoint_slices: self.objects.list(ENDPOINT_SLICE, None),
            pods: self.objects.list(POD, None),
            namespaces: self.objects.list(NAMESPACE, None),
            network_policies: self.objects.list(NETWORK_POLICY, None),
            attached: attached.values().cloned().collect(),
        })
    }

    fn name_of(&self, uid: &str) -> Option<String> {
        let pods = self.objects.list(POD, None);
        pods.iter().find(|pod| pod.uid() == uid).map(|pod| format!("{}/{}", pod.namespace(), pod.name()))
    }
}

#[async_trait]
impl PodNetwork for Services {
    async fn attach(&self, pod: &str) -> Result<PodLink, NetworkError> {
        let link = self.network.attach(pod).await?;
        if let Some(name) = self.name_of(pod) {
            self.attached.lock().unwrap_or_else(PoisonError::into_inner).insert(pod.to_owned(), (name, link.address));
            self.done(self.ask()).await?;
        }
        Ok(link)
    }

    async fn detach(&self, pod: &str) -> Result<(), NetworkError> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner).remove(pod);
        self.network.detach(pod).await
    }

    async fn withdraw(&self, address: Ipv4Addr) -> Result<(), NetworkError> {
        self.network.withdraw(address).await
    }

    async fn apply(&self, topology: Topology) -> Result<(), NetworkError> {
        self.network.apply(topology).await
    }

    async fn attached(&self) -> Result<BTreeMap<String, PodLink>, NetworkError> {
        self.network.attached().await
    }

    async fn teardown(&self) -> Result<(), NetworkError> {
        self.network.teardown().await
    }
}
