//! What people ask for: a run again, or its end.

use super::begin::Asked;
use super::decide::whole;
use super::kept::{self, Kept};
use super::{Runs, RunsError};
use crate::queue::Observation;
use crate::run::{RunId, Trigger};

impl Runs {
    /// Does a run again, from a stage on; the answer is the new run's number.
    ///
    /// # Errors
    /// When there is no such run or stage, it has not ended, or nothing can be kept.
    pub async fn retry(&self, id: RunId, from: Option<&str>, by: &str) -> Result<RunId, RunsError> {
        let before = kept::get(&self.inner.store, id).ok_or(RunsError::NoRun(id))?;
        if !before.run.state.has_ended() {
            return Err(RunsError::NotEnded(id));
        }
        // All stages come after the checkout.
        let from = from.filter(|from| *from != super::begin::CHECKOUT);
        if let Some(from) = from
            && !before.run.beginnings().any(|stage| stage == from)
        {
            return Err(RunsError::NoBeginning(id, from.to_owned()));
        }
        let mut work = before.work;
        // Not from where the run before began: that would leave stages out of which this one's record says that they are done.
        work.from = from.map(str::to_owned);
        let trigger = Trigger::Retry { of: id, from: from.map(str::to_owned), by: by.to_owned() };
        let run = before.run;
        let asked = Asked {
            repository: run.repository,
            project: run.project,
            branch: run.branch,
            environment: run.environment,
            commit: run.commit,
            trigger,
            work,
        };
        self.begin(vec![asked], super::Refs::default()).await?.first().copied().ok_or(RunsError::NoRun(id))
    }

    /// Ends a run: one that waits at once, one that is being done as soon as its runner hears of it.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or nothing can be kept.
    pub async fn cancel(&self, id: RunId, by: &str) -> Result<(), RunsError> {
        let (runs, by) = (self.clone(), by.to_owned());
        whole(async move {
            let mut order = runs.inner.order.lock().await;
            let Some(live) = runs.live(id) else {
                return Err(if runs.book().all.contains(&id) { RunsError::HasEnded(id) } else { RunsError::NoRun(id) });
            };
            {
                let mut kept = live.lock().await;
                let after = Kept { cancelled: Some(by), ..kept.clone() };
                runs.replace(&mut kept, after).await?;
            }
            runs.decide_in(&mut order, Observation::Cancelled(id)).await;
            Ok(())
        })
        .await
    }
}
