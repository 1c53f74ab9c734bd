//! Going back: to a release by hand, or from one that failed to the one before.

use super::{DeployError, Deployed, Failed, Options};
use crate::apply;
use crate::deploy::Delivery;
use crate::inventory::{Inventory, Phase};
use crate::ledger::Event;
use crate::manifests::{FAILED, MANAGER, Release};
use crate::order;
use crate::progress::Progress;
use crate::prune;
use crate::records::{Fate, Record, seal};
use crate::rollout::Cause;
use base::{Problem, ProblemKind};
use k8s::Fields;
use serde_json::json;

impl Delivery {
    /// Puts a release back: the one named, or the one before the current.
    ///
    /// # Errors
    /// When there is no such record, or as [`Delivery::deploy`].
    pub async fn roll_back(&self, namespace: &str, project: &str, to: Option<&str>, options: &Options) -> Result<Deployed, DeployError> {
        let inventory = Inventory::load(&self.cluster, namespace, project).await?;
        let wanted = to.map(str::to_owned).or(inventory.previous.clone());
        let none = || {
            Problem::new(ProblemKind::Usage, format!("the project `{project}` has no release to go back to"))
                .hint("`wharf history` lists them")
        };
        let wanted = wanted.ok_or_else(none)?;
        let record = self.verified(namespace, &wanted, &inventory).await?;
        let missing =
            || Problem::new(ProblemKind::Usage, format!("there is no record of release `{wanted}`")).hint("`wharf history` lists them");
        let record = record.ok_or_else(missing)?;
        // A way back that was killed goes on.
        let goes_on = record.fate == Fate::Deploying && inventory.ledger.served(&wanted);
        if record.fate != Fate::Deployed && !goes_on {
            let why = record.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("release `{wanted}` was never found good{why}");
            return Err(Problem::new(ProblemKind::Target, message)
                .hint("`wharf history` lists those that were; to try it again, deploy its sources")
                .into());
        }
        let release = record.release();
        (self.listener)(Progress::RollingBack { release: wanted.clone() });
        self.deploy(&release, options).await
    }

    /// The record of a release as it may be applied again: checked, and what could not be is told.
    async fn verified(&self, namespace: &str, id: &str, inventory: &Inventory) -> Result<Option<Record>, Problem> {
        let Some(record) = Record::load(&self.cluster, namespace, &inventory.project, id).await? else { return Ok(None) };
        let verified = record.verified(inventory, self.copies.as_ref())?;
        if let Some(message) = verified.warning {
            (self.listener)(Progress::Noted { severity: base::Severity::Warning, message });
        }
        Ok(Some(verified.record))
    }

    // What there is to go back to from a release: the one that serves now or, where that was found to be no good, the one before it.
    pub(super) async fn good_before(&self, release: &Release, inventory: &Inventory) -> Result<Option<String>, Problem> {
        for id in inventory.current.iter().chain(&inventory.previous).filter(|id| **id != release.id) {
            let record = Record::load(&self.cluster, &release.namespace, &release.project, id).await?;
            let true_one = |record: &Record| record.check(&inventory.ledger, inventory.key.as_ref()).is_ok();
            if record.is_some_and(|record| record.fate == Fate::Deployed && true_one(&record)) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    pub(super) async fn fail(&self, release: &Release, mut inventory: Inventory, cause: Cause, options: &Options) -> DeployError {
        let written = self.write_failure(release, &mut inventory, &cause, options).await;
        let back_to = inventory.current.clone().filter(|current| options.rollback && *current != release.id);
        let mut failed = Failed { release: release.id.clone(), cause, rolled_back: None, rollback_problem: written.err() };
        match back_to {
            None => {
                let marked = self.mark_failed(release, &failed.cause).await;
                failed.rollback_problem = failed.rollback_problem.or(marked.err());
            }
            Some(to) => match self.put_back(&to, release, &mut inventory, options).await {
                Ok(()) => failed.rolled_back = Some(to),
                Err(problem) => failed.rollback_problem = Some(problem),
            },
        }
        inventory.phase = Phase::Failed;
        if let Err(problem) = self.write_down(release, &mut inventory, &failed) {
            failed.rollback_problem = failed.rollback_problem.or(Some(problem));
        }
        if let Err(problem) = inventory.save(&self.cluster, &release.namespace).await {
            failed.rollback_problem = failed.rollback_problem.or(Some(problem));
        }
        DeployError::Rollout(Box::new(failed))
    }

    fn write_down(&self, release: &Release, inventory: &mut Inventory, failed: &Failed) -> Result<(), Problem> {
        if let Some(to) = &failed.rolled_back {
            inventory.ledger.add(self.clock.now().rfc3339(), Event::PutBack, to, json!({"instead_of": release.id}))?;
        }
        self.copy_ledger(inventory)
    }

    async fn write_failure(&self, release: &Release, inventory: &mut Inventory, cause: &Cause, options: &Options) -> Result<(), Problem> {
        let mut record = self.record(release, inventory, options).await?;
        (record.fate, record.cause) = (Fate::Failed, Some(cause.clone()));
        let key = inventory.make_key();
        let mut about = seal::detail(&record, &key)?;
        // The log lines are in the record.
        about["cause"] = json!(Cause { evidence: Vec::new(), ..cause.clone() });
        inventory.ledger.add(self.clock.now().rfc3339(), Event::Failed, &release.id, about)?;
        (inventory.phase, inventory.target, inventory.cause) = (Phase::RollingBack, Some(release.id.clone()), Some(cause.to_string()));
        inventory.save(&self.cluster, &release.namespace).await?;
        record.save(&self.cluster, self.copies.as_ref(), &key).await
    }

    async fn put_back(&self, to: &str, failed: &Release, inventory: &mut Inventory, options: &Options) -> Result<(), Problem> {
        (self.listener)(Progress::RollingBack { release: to.to_owned() });
        let record = self.verified(&failed.namespace, to, inventory).await?;
        let missing = || Problem::new(ProblemKind::Target, format!("there is no record of release `{to}`"));
        let release = record.ok_or_else(missing)?.release();
        let targets = apply::read(&self.cluster, &release).await?;
        let forced = Options { force: true, ..options.clone() };
        let applied = apply::apply(&self.cluster, &targets, self.how(&forced)).await?;
        let workloads = applied.into_iter().map(|applied| applied.object).collect();
        if let Err(cause) = self.track(&release, workloads, options).await? {
            return Err(Problem::new(ProblemKind::Target, cause.to_string()));
        }
        self.wait_for_drain(&release).await?;
        prune::prune(self, inventory, &release.namespace, &release.intents_as_entries()).await?;
        Ok(())
    }

    // A first release that failed stays, so that it can be looked at, and says why on its workloads.
    async fn mark_failed(&self, release: &Release, cause: &Cause) -> Result<(), Problem> {
        for intent in release.intents.iter().filter(|intent| order::is_workload(&intent.object)) {
            let mut object = intent.object.clone();
            let annotations = object.at_mut("metadata.annotations");
            if !annotations.is_object() {
                *annotations = json!({});
            }
            annotations[FAILED] = json!(cause.to_string());
            let resource = self.cluster.resource(object.text("apiVersion"), object.text("kind")).await?;
            let how = cluster::Apply { manager: MANAGER, force: true, dry_run: false };
            self.cluster.apply(&resource, &object, &how).await?;
        }
        Ok(())
    }
}
