//! One run at a time deploys a project: a Lease beside the project's inventory says who.
//!
//! The Lease is renewed while the run lives. A run that died needs no hand: on its own machine the next one sees at once
//! that the process is gone, from another machine the Lease expires.

mod holder;

pub use holder::Holder;

use crate::manifests::{MANAGED_BY, MANAGER, PROJECT};
use base::{Clock, Problem, ProblemKind, Timestamp};
use cluster::{Cluster, Delete, Resource};
use k8s::{Fields, Value, kinds};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Annotation of the Lease: the process that has it.
const HOLDER: &str = "wharf.local/holder";
/// A Lease that was not renewed for so long is nobody's.
const LASTS: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWED: Duration = Duration::from_secs(4);
/// For how long a Lease that seems expired is watched before it is taken from another machine, whose clock may be wrong.
const WATCHED: Duration = Duration::from_secs(6);

/// Where a run keeps its hold, so that all its steps share it.
pub type Slot = Arc<tokio::sync::Mutex<Option<Hold>>>;

/// What it takes to hold a project.
pub(crate) struct Wanted<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) namespace: &'a str,
    pub(crate) project: &'a str,
    pub(crate) holder: &'a Holder,
}

/// A project that is held by this run, until it is let go; the renewing ends when this is dropped.
pub struct Hold {
    cluster: Cluster,
    namespace: String,
    name: String,
    holder: Holder,
    lost: watch::Receiver<bool>,
    renewing: JoinHandle<()>,
}

/// The Lease's name.
pub(crate) fn name(project: &str) -> String {
    format!("wharf-hold-{project}")
}

/// Reads the Lease of a project, where there is one.
pub(crate) async fn read(cluster: &Cluster, namespace: &str, project: &str) -> Result<Option<Value>, Problem> {
    Ok(cluster.get(&Resource::from(kinds::LEASE), namespace, &name(project)).await?)
}

/// What a Lease means for a run that wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its process is gone, or it names none.
    Free,
    /// It seems expired by a clock that may be another's.
    Stale,
    /// Somebody has it.
    Held,
}

/// How a Lease stands.
pub(crate) fn standing(lease: &Value, now: Timestamp) -> Standing {
    if lease.text("spec.holderIdentity").is_empty() {
        return Standing::Free;
    }
    match Holder::of(lease).and_then(|holder| holder.lives()) {
        Some(true) => Standing::Held,
        Some(false) => Standing::Free,
        None => {
            let lasts = lease.int("spec.leaseDurationSeconds").and_then(|seconds| u64::try_from(seconds).ok());
            let lasts = lasts.map_or(LASTS, |seconds| Duration::from_secs(seconds.min(300)));
            let renewed = lease.time("spec.renewTime");
            if renewed.is_none_or(|renewed| now.since(renewed) > lasts) { Standing::Stale } else { Standing::Held }
        }
    }
}

/// The refusal of a run that came second.
pub(crate) fn refusal(lease: &Value, project: &str) -> Problem {
    let since = lease.time("spec.acquireTime").map(|at| format!(", since {}", at.rfc3339())).unwrap_or_default();
    let identity: String = lease.text("spec.holderIdentity").chars().filter(|c| !c.is_control()).take(200).collect();
    Problem::new(ProblemKind::Target, format!("another run deploys the project `{project}` at this moment: {identity}{since}")).hint(
        format!(
            "wait for it to end and run this again; one that died is taken over by itself (from another machine after {} s)",
            LASTS.as_secs()
        ),
    )
}

impl Wanted<'_> {
    /// Takes the hold.
    ///
    /// # Errors
    /// Names who has it.
    pub(crate) async fn take(&self) -> Result<Hold, Problem> {
        let live = read(self.cluster, self.namespace, self.project).await?;
        let resource = Resource::from(kinds::LEASE);
        let written = match live {
            None => self.cluster.create(&resource, &self.lease(None), MANAGER).await,
            Some(live) => {
                let live = self.free(live).await?;
                self.cluster.replace(&resource, &self.lease(Some(&live)), MANAGER).await
            }
        };
        let written = match written {
            Ok(written) => written,
            Err(error) if error.api().is_some_and(|refusal| refusal.code == 409) => {
                let first = read(self.cluster, self.namespace, self.project).await?.unwrap_or_default();
                return Err(refusal(&first, self.project));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(self.keep(written))
    }

    // A Lease that may be taken, as it stands now.
    async fn free(&self, lease: Value) -> Result<Value, Problem> {
        match standing(&lease, self.clock.now()) {
            Standing::Free => Ok(lease),
            Standing::Held => Err(refusal(&lease, self.project)),
            Standing::Stale => {
                tokio::time::sleep(WATCHED).await;
                let later = read(self.cluster, self.namespace, self.project).await?;
                match later {
                    Some(later) if later.resource_version() != lease.resource_version() => Err(refusal(&later, self.project)),
                    _ => Ok(lease),
                }
            }
        }
    }

    fn lease(&self, before: Option<&Value>) -> Value {
        let now = self.clock.now().rfc3339_micros();
        let text = serde_json::to_string(self.holder).unwrap_or_default();
        let changes = before.map_or(0, |lease| lease.int("spec.leaseTransitions").unwrap_or(0).saturating_add(1));
        let mut lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name(self.project), "namespace": self.namespace, "annotations": {(HOLDER): text},
                "labels": {(MANAGED_BY): MANAGER, (PROJECT): self.project}},
            "spec": {"holderIdentity": self.holder.identity(), "leaseDurationSeconds": LASTS.as_secs(), "acquireTime": now,
                "renewTime": now, "leaseTransitions": changes}});
        if let Some(before) = before {
            lease.set("metadata.resourceVersion", before.resource_version());
        }
        lease
    }

    fn keep(&self, lease: Value) -> Hold {
        let (teller, lost) = watch::channel(false);
        let renewing = tokio::spawn(renew(self.cluster.clone(), self.clock.clone(), lease, teller));
        let (namespace, holder) = (self.namespace.to_owned(), self.holder.clone());
        Hold { cluster: self.cluster.clone(), namespace, name: name(self.project), holder, lost, renewing }
    }
}

// An API that cannot be reached for a moment loses nothing: whoever took the Lease meanwhile shows when it is back.
async fn renew(cluster: Cluster, clock: Arc<dyn Clock>, mut lease: Value, lost: watch::Sender<bool>) {
    let resource = Resource::from(kinds::LEASE);
    loop {
        tokio::time::sleep(RENEWED).await;
        lease.set("spec.renewTime", clock.now().rfc3339_micros());
        match cluster.replace(&resource, &lease, MANAGER).await {
            Ok(renewed) => lease.set("metadata.resourceVersion", renewed.resource_version()),
            // A renewal whose answer was lost, and what others write on a Lease, change its version and not whose it is.
            Err(error) if error.api().is_some_and(|refusal| matches!(refusal.code, 404 | 409)) => {
                match cluster.get(&resource, lease.namespace(), lease.name()).await {
                    Ok(Some(live)) if live.uid() == lease.uid() && Holder::of(&live) == Holder::of(&lease) => lease = live,
                    Ok(_) => {
                        let _ = lost.send(true);
                        return;
                    }
                    Err(_) => {}
                }
            }
            Err(_) => {}
        }
    }
}

impl Hold {
    /// Turns true when another run has taken the project.
    pub(crate) fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Lets the project go: the Lease is removed, if it is still this run's. One that cannot be removed is given up by
    /// the end of the process.
    pub async fn let_go(self) {
        self.renewing.abort();
        let resource = Resource::from(kinds::LEASE);
        let live = self.cluster.get(&resource, &self.namespace, &self.name).await.ok().flatten();
        if let Some(live) = live.filter(|live| Holder::of(live).as_ref() == Some(&self.holder)) {
            let how = Delete { uid: Some(live.uid().to_owned()), ..Delete::default() };
            let _ = self.cluster.delete(&resource, &self.namespace, &self.name, &how).await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// The problem of a run whose project was taken by another.
pub(crate) fn lost(project: &str) -> Problem {
    Problem::new(
        ProblemKind::Target,
        format!("another run has taken over the project `{project}`, because this one was not heard of for too long"),
    )
    .hint("see `wharf status`, and run this again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &Holder, renewed: Timestamp) -> Value {
        json!({"metadata": {"annotations": {(HOLDER): serde_json::to_string(holder).expect("JSON")}},
            "spec": {"holderIdentity": holder.identity(), "leaseDurationSeconds": 15, "renewTime": renewed.rfc3339_micros()}})
    }

    #[test]
    fn a_dead_process_holds_nothing_and_a_far_one_until_it_expires() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let own = Holder::this_process("me");
        let long_ago = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(standing(&lease(&own, long_ago), now), Standing::Held, "a machine that slept");
        assert_eq!(standing(&lease(&Holder { started: 1, ..own.clone() }, now), now), Standing::Free);
        let far = Holder { machine: "far".to_owned(), ..own };
        assert_eq!(standing(&lease(&far, now), now.plus(Duration::from_secs(15))), Standing::Held);
        assert_eq!(standing(&lease(&far, now), now.plus(Duration::from_secs(16))), Standing::Stale);
        assert_eq!(standing(&json!({"spec": {}}), now), Standing::Free);
        assert_eq!(standing(&json!({"spec": {"holderIdentity": "someone"}}), now), Standing::Stale);
    }
}
