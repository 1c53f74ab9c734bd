//! Decisions of the queue, and what they change: in one order, each to its end.
//!
//! Whoever makes the queue see something that has consequences holds the order from there until all is carried out, in a task of its own:
//! a connection that breaks takes its request with it, and never a half of what was decided. What cannot be kept for want of room stays
//! in the order and is done first the next time.

use super::kept::{Doing, Kept};
use super::{Runs, RunsError, Taken, apply};
use crate::queue::{Action, Attempt, Observation};
use crate::run::{Cause, RunId, RunState};
use base::Timestamp;
use std::collections::VecDeque;

/// What was decided and is still to be done.
pub(super) type Order = VecDeque<Action>;

/// Does something to its end, also when whoever waits for it is gone before.
pub(super) async fn whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The process ends.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Runs {
    /// Lets the queue see something, and does what follows; whether whoever spoke is refused.
    pub(super) async fn decide(&self, observation: Observation) -> bool {
        let runs = self.clone();
        whole(async move {
            let mut order = runs.inner.order.lock().await;
            runs.decide_in(&mut order, observation).await
        })
        .await
    }

    /// The same for whoever has the order already.
    pub(super) async fn decide_in(&self, order: &mut Order, observation: Observation) -> bool {
        let actions = self.observe(observation);
        let refused = actions.iter().any(|action| matches!(action, Action::Refuse(_)));
        order.extend(actions);
        let mut trouble = None;
        while let Some(action) = order.pop_front() {
            if let Err(error) = self.carry_out(&action).await {
                trouble = Some(error.to_string());
                order.push_front(action);
                break;
            }
        }
        self.book().trouble = trouble;
        refused
    }

    pub(super) async fn carry_out(&self, action: &Action) -> Result<(), RunsError> {
        match action {
            Action::Give { asker, id, attempt } => self.give(*asker, *id, attempt, true).await,
            Action::GiveAgain { asker, id, attempt } => self.give(*asker, *id, attempt, false).await,
            Action::Again { id, token } => {
                let why = |runner: &str| format!("nothing was heard of the runner `{runner}` any more: the run is given to another one");
                self.wait_again(*id, token, why).await
            }
            Action::Return { id, token } => {
                self.wait_again(*id, token, |runner| format!("the runner `{runner}` leaves: the run is given to another one")).await
            }
            Action::Lose(id) => self.over(*id, RunState::Lost, "its runners died: it was given to two, and none ended it").await,
            Action::Cancel(id) => self.over(*id, RunState::Cancelled, "").await,
            // For whoever spoke, who has seen it.
            Action::Refuse(_) | Action::Stop(_) => Ok(()),
        }
    }

    async fn give(&self, asker: u64, id: RunId, attempt: &Attempt, is_new: bool) -> Result<(), RunsError> {
        let Some(live) = self.live(id) else { return Ok(()) };
        let mut kept = live.lock().await;
        let mut after = kept.clone();
        if is_new {
            after.run.state = RunState::Running;
            after.run.attempt = attempt.number;
            after.run.began = Some(self.now());
            after.doing = Some(Doing { token: attempt.token.clone(), instance: attempt.instance.clone(), taken: 0 });
        }
        if let Some((name, _)) = self.book().askers.get(&asker) {
            after.run.runner = Some(name.clone());
        }
        if after != *kept {
            self.replace(&mut kept, after).await?;
        }
        let silence_ms = u64::try_from(self.inner.options.patience.silence.as_millis()).unwrap_or(u64::MAX);
        let taken = Taken { run: kept.run.clone(), work: kept.work.clone(), token: attempt.token.clone(), silence_ms };
        let asked = self.book().askers.remove(&asker);
        if let Some((_, sender)) = asked {
            // Who is gone by now asks again, and gets it again.
            let _ = sender.send(taken);
        }
        Ok(())
    }

    async fn wait_again(&self, id: RunId, token: &str, why: impl FnOnce(&str) -> String) -> Result<(), RunsError> {
        self.change(id, |kept, _| {
            if kept.doing.as_ref().is_none_or(|doing| doing.token != token) {
                return None;
            }
            let runner = kept.run.runner.take().unwrap_or_default();
            kept.doing = None;
            apply::begin_again(&mut kept.run);
            Some(why(&runner))
        })
        .await
    }

    pub(super) async fn over(&self, id: RunId, state: RunState, why: &str) -> Result<(), RunsError> {
        self.change(id, |kept, now| {
            if !why.is_empty() {
                kept.run.cause = Some(Cause {
                    kind: "host".to_owned(),
                    message: why.to_owned(),
                    hints: vec!["see that the runners have what they need, then retry the run".to_owned()],
                    exit_code: 5,
                });
            }
            kept.doing = None;
            apply::end(&mut kept.run, state, now);
            (!why.is_empty()).then(|| why.to_owned())
        })
        .await?;
        self.book().live.remove(&id);
        Ok(())
    }

    /// Changes a run and says a line in the log of the stage where it was.
    async fn change(&self, id: RunId, change: impl FnOnce(&mut Kept, Timestamp) -> Option<String>) -> Result<(), RunsError> {
        let Some(live) = self.live(id) else { return Ok(()) };
        let mut kept = live.lock().await;
        let (stage, mut after) = (apply::at(&kept.run), kept.clone());
        let line = change(&mut after, self.now());
        if after == *kept {
            return Ok(());
        }
        if let (Some(stage), Some(line)) = (stage, line) {
            // A line that finds no room is missed by nobody who has to make some.
            let total = after.logs.add(&self.inner.log(id), &stage, &[line], self.inner.options.log_bytes);
            if let (Ok(total), Some(known)) = (total, after.run.stages.iter_mut().find(|known| known.name == stage)) {
                known.lines = total;
            }
        }
        if after.run.state.has_ended() {
            // Where that cannot be, all of it stays in the journal.
            let mut slim = after.clone();
            if slim.slim_down(self.inner.files.as_ref(), &self.inner.folder).is_ok() {
                after = slim;
            }
        }
        self.replace(&mut kept, after).await
    }
}
