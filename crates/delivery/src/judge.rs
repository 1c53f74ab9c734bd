//! What comes of a release after it serves: smoke and load say whether it is good.

use crate::deploy::Delivery;
use crate::inventory::Inventory;
use crate::ledger::Event;
use crate::records::{Fate, Record};
use crate::rollout::Cause;
use base::{Problem, ProblemKind};
use k8s::Value;
use serde_json::json;

/// What a trial of the release that serves gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement<'a> {
    /// The release that was tried.
    pub release: &'a str,
    /// The stage that tried it, such as `smoke`.
    pub by: &'a str,
    /// What it found, for the record.
    pub detail: Value,
    /// Why it is no good; absent where it is good.
    pub rejected: Option<String>,
}

impl Delivery {
    /// Writes down what a trial of the release that serves gave; one that is no good is marked as failed, with the cause.
    ///
    /// # Errors
    /// When another release serves by now, or the cluster refuses.
    pub async fn judge(&self, namespace: &str, project: &str, judgement: &Judgement<'_>) -> Result<(), Problem> {
        let mut inventory = Inventory::load(&self.cluster, namespace, project).await?;
        let release = judgement.release.to_owned();
        if inventory.current.as_ref() != Some(&release) {
            let now = inventory.current.unwrap_or_else(|| "none".to_owned());
            let message = format!("release {release} was tried, and {now} serves by now: another run deployed meanwhile");
            return Err(Problem::new(ProblemKind::Target, message).hint("see `wharf history`"));
        }
        let (now, detail) = (self.clock.now().rfc3339(), json!({"by": judgement.by, "result": judgement.detail}));
        let mut marked = None;
        match &judgement.rejected {
            None => inventory.ledger.add(now, Event::Passed, &release, detail)?,
            Some(why) => {
                let mut detail = detail;
                if let Some(mut record) = Record::load(&self.cluster, namespace, project, &release).await? {
                    let key = inventory.make_key();
                    // One that somebody changed is not made true by writing it again.
                    record.check(&inventory.ledger, Some(&key))?;
                    let workload = format!("{} of {project}", judgement.by);
                    (record.fate, record.cause) =
                        (Fate::Failed, Some(Cause { workload, message: why.clone(), evidence: Vec::new(), told_after_ms: 0 }));
                    detail["sealed"] = json!(record.seal(&key)?);
                    marked = Some((record, key));
                }
                detail["cause"] = json!(why);
                inventory.ledger.add(now, Event::Rejected, &release, detail)?
            }
        };
        inventory.save(&self.cluster, namespace).await?;
        if let Some((record, key)) = marked {
            record.save(&self.cluster, self.copies.as_ref(), &key).await?;
        }
        self.copy_ledger(&inventory)
    }

    /// Copies the ledger to this machine, to be read without the cluster.
    pub(crate) fn copy_ledger(&self, inventory: &Inventory) -> Result<(), Problem> {
        let Some(copies) = &self.copies else { return Ok(()) };
        copies.write_ledger(&inventory.project, &inventory.ledger)
    }
}
