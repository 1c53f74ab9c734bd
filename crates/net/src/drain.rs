//! Ending without losing what is in flight.

use std::future::Future;
use tokio::sync::watch;

/// Begins a drain. Dropping it begins one too.
#[derive(Debug)]
pub struct Drain(watch::Sender<bool>);

/// Learns that a drain has begun.
#[derive(Clone, Debug)]
pub struct Draining(watch::Receiver<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Drain {
    /// Who wants to know.
    pub fn subscribe(&self) -> Draining {
        Draining(self.0.subscribe())
    }

    /// Tells everybody.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Draining {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Resolves once it has begun.
    pub fn begun(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut begun = self.0.clone();
        async move {
            let _ = begun.wait_for(|begun| *begun).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_learns_it_late_comers_too() {
        let drain = Drain::default();
        let early = drain.subscribe();
        assert!(!early.has_begun());
        drain.begin();
        early.begun().await;
        drain.subscribe().begun().await;
        assert!(early.has_begun());
        let dropped = Drain::default().subscribe();
        dropped.begun().await;
        assert!(dropped.has_begun());
    }
}
