//! Addresses from a counter.

use super::Journal;
use async_trait::async_trait;
use network::{NetworkError, PodLink, PodNetwork, Topology};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;

pub struct FakeNetwork {
    journal: Journal,
    links: Mutex<BTreeMap<String, PodLink>>,
    given: Mutex<u8>,
}

impl FakeNetwork {
    pub fn new(journal: Journal) -> Self {
        Self { journal, links: Mutex::default(), given: Mutex::default() }
    }

    fn note(&self, text: String) {
        self.journal.lock().expect("whole").push(text);
    }
}

#[async_trait]
impl PodNetwork for FakeNetwork {
    async fn attach(&self, pod: &str) -> Result<PodLink, NetworkError> {
        self.note(format!("attach {pod}"));
        let mut given = self.given.lock().expect("whole");
        *given += 1;
        let link = PodLink { address: Ipv4Addr::new(127, 0, 0, *given), netns: format!("/run/netns/{pod}").into() };
        Ok(self.links.lock().expect("whole").entry(pod.to_owned()).or_insert(link).clone())
    }

    async fn detach(&self, pod: &str) -> Result<(), NetworkError> {
        self.note(format!("detach {pod}"));
        self.links.lock().expect("whole").remove(pod);
        Ok(())
    }

    async fn withdraw(&self, address: Ipv4Addr) -> Result<(), NetworkError> {
        tokio::task::yield_now().await;
        self.note(format!("withdraw {address}"));
        Ok(())
    }

    async fn apply(&self, _: Topology) -> Result<(), NetworkError> {
        Ok(())
    }

    async fn attached(&self) -> Result<BTreeMap<String, PodLink>, NetworkError> {
        Ok(self.links.lock().expect("whole").clone())
    }

    async fn teardown(&self) -> Result<(), NetworkError> {
        Ok(())
    }
}
