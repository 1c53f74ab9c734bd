//! A release into a cluster: applied, tracked to readiness or a cause, put back by itself when it fails.
//!
//! Every step is written down before it is taken (the inventory), so a run that is killed is resumed by the next one.

mod back;
mod error;

use crate::apply::{self, Applied, How, Target};
use crate::hold::{self, Holder, Slot, Standing};
use crate::inventory::{Entry, Inventory, Phase};
use crate::ledger::Event;
use crate::manifests::Release;
use crate::plan::saved::PlanFile;
use crate::progress::{Change, Listener, Progress};
use crate::prune;
use crate::records::copies::Copies;
use crate::records::{Fate, Record, seal};
use crate::rollout::{Cause, Patience};
use crate::track::{Tracking, track};
pub use error::{DeployError, Failed};

use base::{Clock, Problem, SystemClock};
use cluster::Cluster;
use k8s::{Fields, Value};
use serde_json::json;
use std::sync::Arc;

/// Delivers into one cluster.
#[derive(Clone)]
pub struct Delivery {
    /// The cluster.
    pub cluster: Cluster,
    /// Takes progress.
    pub listener: Arc<Listener>,
    /// Where this machine keeps copies of records; none keeps them in the cluster alone.
    pub copies: Option<Copies>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who deploys, as other runs are told.
    pub holder: Holder,
    /// The hold on the project, while there is one.
    pub held: Slot,
    /// What the images run on, in Go's names, such as `amd64`; not looked at where absent.
    pub architecture: Option<String>,
}

/// How a release is deployed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Take fields that other tools own.
    pub force: bool,
    /// Put the release before back when this one fails.
    pub rollback: bool,
    /// How long bad signs may stand.
    pub patience: Patience,
    /// What allowed the release, for its record.
    pub notes: Value,
    /// Keep the hold on the project afterwards, until [`Delivery::let_go`].
    pub hold_on: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { force: true, rollback: true, patience: Patience::default(), notes: json!({}), hold_on: false }
    }
}

/// A release that serves.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Deployed {
    /// Its id.
    pub release: String,
    /// What became of each object, in the order of applying; pruned ones last.
    pub changes: Vec<(String, Change)>,
    /// Objects that were left though no manifest names them any more, and why.
    pub kept: Vec<(String, String)>,
    /// Whether nothing at all was changed.
    pub unchanged: bool,
    /// By what it was found good since it serves; nothing for one that was changed.
    pub passed: Vec<String>,
}

// What a deploy finds before it does anything.
struct Seen {
    targets: Vec<Target>,
    before: Inventory,
    inventory: Inventory,
    /// Whether this very release serves already.
    known: bool,
    /// Whether nothing is to be written at all.
    quiet: bool,
    /// Whether a run that is dead left its hold behind.
    abandoned: bool,
}

impl Delivery {
    /// Delivers with the machine's own clock and no copies.
    pub fn new(cluster: Cluster, listener: Arc<Listener>) -> Self {
        let holder = Holder::this_process("someone");
        Self { cluster, listener, copies: None, clock: Arc::new(SystemClock), holder, held: Slot::default(), architecture: None }
    }

    /// Deploys a release and waits until it serves. One run at a time: a second one is refused by name. What changes
    /// nothing takes no hold, and so writes nothing.
    ///
    /// # Errors
    /// When another run has the project, it could not be applied, or does not serve; the release before then serves
    /// again unless told otherwise.
    pub async fn deploy(&self, release: &Release, options: &Options) -> Result<Deployed, DeployError> {
        self.deploy_as(release, options, None).await
    }

    /// The same; where it is by a plan, only if that holds once nobody else can change anything any more.
    pub(crate) async fn deploy_as(&self, release: &Release, options: &Options, plan: Option<&PlanFile>) -> Result<Deployed, DeployError> {
        let done = self.under_hold(release, options, plan).await;
        if !options.hold_on {
            self.let_go().await;
        }
        done
    }

    async fn under_hold(&self, release: &Release, options: &Options, plan: Option<&PlanFile>) -> Result<Deployed, DeployError> {
        let mut seen = self.see(release, options).await?;
        if seen.quiet && seen.abandoned {
            self.take_hold(&release.namespace, &release.project).await?;
        } else if !seen.quiet {
            for finding in release.notes.iter().chain(&self.preflight(release).await?) {
                (self.listener)(Progress::Noted { severity: finding.severity, message: finding.message.clone() });
            }
            self.make_namespace(&seen.targets, release, options).await?;
            self.take_hold(&release.namespace, &release.project).await?;
            // What was read before the hold may be of the run before.
            seen = self.see(release, options).await?;
            if let Some(plan) = plan {
                self.check_plan(plan).await?;
            }
        }
        self.unless_lost(&release.project, self.carry_out(release, seen, options)).await
    }

    /// Lets the project go, where it was held on to.
    pub async fn let_go(&self) {
        let hold = self.held.lock().await.take();
        if let Some(hold) = hold {
            hold.let_go().await;
        }
    }

    pub(crate) async fn take_hold(&self, namespace: &str, project: &str) -> Result<(), Problem> {
        let mut held = self.held.lock().await;
        if held.is_none() {
            let wanted = hold::Wanted { cluster: &self.cluster, clock: self.clock.clone(), namespace, project, holder: &self.holder };
            *held = Some(wanted.take().await?);
        }
        Ok(())
    }

    async fn unless_lost<T>(&self, project: &str, work: impl Future<Output = Result<T, DeployError>>) -> Result<T, DeployError> {
        let lost = self.held.lock().await.as_ref().map(hold::Hold::lost);
        let Some(mut lost) = lost else { return work.await };
        tokio::select! {
            done = work => done,
            Ok(_) = lost.wait_for(|lost| *lost) => Err(hold::lost(project).into()),
        }
    }

    async fn see(&self, release: &Release, options: &Options) -> Result<Seen, Problem> {
        let reads =
            (apply::read(&self.cluster, release), self.inventory(release), hold::read(&self.cluster, &release.namespace, &release.project));
        let (targets, inventory, lease) = futures::future::join3(reads.0, reads.1, reads.2).await;
        let (mut targets, before) = (targets?, inventory?);
        let ours = self.held.lock().await.is_some();
        let lease = lease?.filter(|_| !ours).map(|lease| (hold::standing(&lease, self.clock.now()), lease));
        if let Some((Standing::Held, lease)) = &lease {
            return Err(hold::refusal(lease, &release.project));
        }
        let abandoned = lease.is_some_and(|(standing, _)| standing == Standing::Free);
        let mut inventory = before.clone();
        for target in &targets {
            inventory.meet(Entry::of(&target.intent, target.is_ours(&release.project)), target.live.is_some());
        }
        let known = before.phase == Phase::Deployed && before.current.as_ref() == Some(&release.id);
        let all_stand = apply::all_stand(&mut targets, self.how(options));
        let nothing_goes = prune::surplus(&inventory, &release.intents_as_entries()).0.is_empty();
        inventory.entries.sort();
        let quiet = known && all_stand && nothing_goes && inventory.entries == before.entries;
        Ok(Seen { targets, before, inventory, known, quiet, abandoned })
    }

    async fn carry_out(&self, release: &Release, seen: Seen, options: &Options) -> Result<Deployed, DeployError> {
        let Seen { targets, before, mut inventory, known, .. } = seen;
        if !known {
            let mut record = self.record(release, &before, options).await?;
            record.fate = Fate::Deploying;
            (inventory.phase, inventory.target, inventory.cause) = (Phase::Deploying, Some(release.id.clone()), None);
            let key = inventory.make_key();
            inventory.ledger.add(self.clock.now().rfc3339(), Event::Begun, &release.id, seal::begun(&record, &key)?)?;
            inventory.save(&self.cluster, &release.namespace).await?;
            record.save(&self.cluster, self.copies.as_ref(), &key).await?;
        }
        inventory.save(&self.cluster, &release.namespace).await?;
        let applied = apply::apply(&self.cluster, &targets, self.how(options)).await?;
        let workloads = applied.iter().map(|applied| applied.object.clone()).collect();
        match self.track(release, workloads, options).await? {
            Ok(()) => {
                self.wait_for_drain(release).await?;
                Ok(self.settle(release, inventory, &applied, known, options).await?)
            }
            Err(cause) => {
                // What was to change nothing has no hold yet.
                self.take_hold(&release.namespace, &release.project).await?;
                Err(self.fail(release, inventory, cause, options).await)
            }
        }
    }

    /// The records of a project's releases, newest first.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn history(&self, namespace: &str, project: &str) -> Result<Vec<Record>, Problem> {
        Record::list(&self.cluster, namespace, project).await
    }

    pub(crate) async fn inventory(&self, release: &Release) -> Result<Inventory, Problem> {
        Inventory::load(&self.cluster, &release.namespace, &release.project).await
    }

    fn how(&self, options: &Options) -> How<'_> {
        How { force: options.force, now: self.clock.now(), listener: self.listener.as_ref() }
    }

    // The inventory lives in the namespace, so that comes before everything.
    async fn make_namespace(&self, targets: &[Target], release: &Release, options: &Options) -> Result<(), Problem> {
        let own = targets.iter().filter(|target| {
            target.live.is_none() && target.intent.text("kind") == "Namespace" && target.intent.name() == release.namespace
        });
        let own: Vec<Target> = own.cloned().collect();
        if own.is_empty() {
            return Ok(());
        }
        let silent: &Listener = &|_| {};
        apply::apply(&self.cluster, &own, How { listener: silent, ..self.how(options) }).await?;
        Ok(())
    }

    async fn record(&self, release: &Release, before: &Inventory, options: &Options) -> Result<Record, Problem> {
        let kept = Record::load(&self.cluster, &release.namespace, &release.project, &release.id).await?;
        // What somebody changed is not made true by writing it again.
        let kept = kept.filter(|kept| kept.check(&before.ledger, before.key.as_ref()).is_ok());
        let previous = before.current.clone().filter(|current| *current != release.id);
        let fresh = Record::new(release, self.clock.now().rfc3339(), previous, options.notes.clone());
        // A release that is put back was allowed by what allowed it first.
        let says_nothing = options.notes.as_object().is_none_or(serde_json::Map::is_empty);
        Ok(kept.map_or(fresh.clone(), |kept| Record {
            created: kept.created,
            cause: None,
            notes: if says_nothing { kept.notes } else { fresh.notes.clone() },
            ..fresh
        }))
    }

    async fn track(&self, release: &Release, workloads: Vec<Value>, options: &Options) -> Result<Result<(), Cause>, Problem> {
        let tracking = Tracking {
            cluster: &self.cluster,
            project: &release.project,
            workloads,
            patience: options.patience,
            clock: self.clock.as_ref(),
            listener: self.listener.as_ref(),
        };
        track(tracking).await
    }

    // The release serves: what is no longer part of it goes, and it is written down as current.
    async fn settle(
        &self,
        release: &Release,
        mut inventory: Inventory,
        applied: &[Applied],
        known: bool,
        options: &Options,
    ) -> Result<Deployed, Problem> {
        let pruned = prune::prune(self, &mut inventory, &release.namespace, &release.intents_as_entries()).await?;
        let mut changes: Vec<(String, Change)> =
            applied.iter().map(|applied| (crate::manifests::shown(&applied.object), applied.change)).collect();
        changes.extend(pruned.gone.iter().map(|name| (name.clone(), Change::Pruned)));
        if !known {
            let mut record = self.record(release, &inventory, options).await?;
            record.fate = Fate::Deployed;
            record.previous = inventory.current.clone().filter(|current| *current != release.id);
            let key = inventory.make_key();
            record.save(&self.cluster, self.copies.as_ref(), &key).await?;
            if inventory.current.as_ref() != Some(&release.id) {
                inventory.previous = self.good_before(release, &inventory).await?;
                inventory.current = Some(release.id.clone());
            }
            (inventory.phase, inventory.target, inventory.cause) = (Phase::Deployed, None, None);
            inventory.ledger.add(self.clock.now().rfc3339(), Event::Deployed, &release.id, seal::detail(&record, &key)?)?;
            Record::trim(
                &self.cluster,
                &release.namespace,
                &release.project,
                &[inventory.current.as_deref(), inventory.previous.as_deref()],
            )
            .await?;
        }
        inventory.save(&self.cluster, &release.namespace).await?;
        if !known {
            self.copy_ledger(&inventory)?;
        }
        let unchanged = known && changes.iter().all(|(_, change)| *change == Change::Unchanged);
        let passed = if unchanged { inventory.ledger.passed(&release.id) } else { Vec::new() };
        Ok(Deployed { release: release.id.clone(), changes, kept: pruned.kept, unchanged, passed })
    }
}
