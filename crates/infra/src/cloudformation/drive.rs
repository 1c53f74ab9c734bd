//! Carries out what [`step`] says, call by call.

use super::api::Api;
use super::events::{Log, Read};
use super::step::{Action, Ending, Goal, Observation, StackState, step};
use super::wish::Wish;
use crate::aws::Caller;
use crate::failure::Failure;
use crate::provider::{Event, Watch};

/// A run towards a goal.
pub(crate) struct Drive<'a> {
    pub api: Api<'a>,
    pub wish: &'a Wish,
    pub watch: &'a dyn Watch,
    log: Log,
    /// The stack's id, once it is known.
    id: Option<String>,
}

/// How a run ended, and what happened on the way.
pub(crate) struct Ended {
    pub ending: Ending,
    pub events: Vec<Event>,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(caller: &'a Caller, wish: &'a Wish, watch: &'a dyn Watch) -> Self {
        Self { api: Api(caller), wish, watch, log: Log::default(), id: None }
    }

    /// Goes on until the goal is reached or cannot be.
    ///
    /// # Errors
    /// When a call that looks fails for good.
    pub(crate) async fn run(mut self, goal: Goal) -> Result<Ended, Failure> {
        let pace = self.api.0.pace.clone();
        let mut state = StackState::new(goal, self.wish.owner(), self.api.0.seed, pace.now());
        let mut seen = Observation::Begin;
        loop {
            let (next, actions) = step(state, seen, pace.now());
            state = next;
            seen = Observation::Begin;
            for action in actions {
                match action {
                    Action::Finish(ending) => return Ok(Ended { ending, events: self.log.told }),
                    Action::Wait(time) => pace.sleep(time).await,
                    Action::Events => self.events().await?,
                    call => seen = self.call(call).await?,
                }
            }
        }
    }

    async fn call(&mut self, action: Action) -> Result<Observation, Failure> {
        let role = self.wish.declared.role.as_deref();
        let done = match action {
            Action::Describe(id) => {
                let name = id.as_deref().unwrap_or(&self.wish.declared.stack);
                let stack = self.api.stack(name).await?;
                if let Some(stack) = &stack {
                    self.id = Some(stack.id.clone());
                }
                return Ok(Observation::Stack(stack));
            }
            Action::DescribeChangeSet(id) => {
                // A name is one of a stack's, an ARN one of all.
                let stack = (!id.starts_with("arn:")).then_some(self.wish.declared.stack.as_str());
                let set = self.api.change_set(&id, stack).await?;
                if let Some(set) = &set {
                    self.id = Some(set.stack.clone());
                }
                return Ok(Observation::ChangeSet(set));
            }
            Action::Operation { stack, token } => {
                let events = self.api.events(&stack, |page| page.iter().any(Read::begins)).await?;
                let last = events.iter().find(|read| read.begins());
                return Ok(Observation::Operation(last.is_some_and(|last| last.token == token)));
            }
            Action::Create { name, kind } => self.api.create_change_set(self.wish, &name, kind).await,
            Action::DeleteChangeSet(id) => self.api.delete_change_set(&id).await,
            Action::Execute { change_set, token } => {
                self.mark().await?;
                self.watch.note("the change set is carried out");
                self.api.execute(&change_set, &token).await
            }
            Action::Continue { stack, token, skip } => {
                self.mark().await?;
                self.watch.note("the rollback that stopped half-way is told to go on");
                self.api.continue_rollback(&stack, &token, &skip, role).await
            }
            Action::Delete { stack, token, retain } => {
                self.mark().await?;
                self.watch.note("the stack is told to go");
                self.api.delete(&stack, &token, &retain, role).await
            }
            Action::Wait(_) | Action::Events | Action::Finish(_) => Ok(()),
        };
        Ok(done.map_or_else(Observation::Refused, |()| Observation::Accepted))
    }

    /// What happened before is not of the operation that begins.
    async fn mark(&mut self) -> Result<(), Failure> {
        if !self.log.is_marked()
            && let Some(id) = &self.id
        {
            let page = self.api.events(id, |_| true).await?;
            self.log.mark(&page);
        }
        Ok(())
    }

    async fn events(&mut self) -> Result<(), Failure> {
        let Some(id) = self.id.clone() else { return Ok(()) };
        let log = &self.log;
        let pages = self.api.events(&id, |page| log.reaches(page)).await?;
        for event in self.log.take(pages) {
            self.watch.event(&event);
        }
        Ok(())
    }
}
