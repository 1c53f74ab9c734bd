//! CloudFormation as a provider.

use super::api::Api;
use super::drive::{Drive, Ended};
use super::events::{causes, why};
use super::seen::StackSeen;
use super::status::Settled;
use super::step::{Ending, Goal};
use super::template::{self, Template};
use super::wish::{ENVIRONMENT_TAG, NAME_TAG, PROJECT_TAG, Wish};
use crate::aws::Caller;
use crate::eks;
use crate::failure::{Failure, FailureKind, InfraError};
use crate::plan::Plan;
use crate::provider::{Access, ClusterAccess, Declared, Drifted, Left, Provider, ProviderKind, Removed, Standing, Watch};
use crate::tagged;
use async_trait::async_trait;
use base::Finding;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// See the module.
pub const CLOUDFORMATION: ProviderKind =
    ProviderKind { name: "cloudformation", make: |declared, access| Ok(Box::new(CloudFormation::new(declared, access)?)) };

/// A call for what need not be had is made again for no longer than this.
const HURRIED: Duration = Duration::from_secs(10);

/// A stack that is declared.
pub struct CloudFormation {
    caller: Caller,
    /// For what need not be had.
    hurried: Caller,
    wish: Wish,
}

impl CloudFormation {
    /// Reads the template; asks nothing yet.
    ///
    /// # Errors
    /// When the template, the region or the endpoint cannot be read.
    pub fn new(declared: Declared, access: Access) -> Result<Self, InfraError> {
        let caller = access.clone().aws(&declared.region, declared.endpoint.as_deref())?;
        let hurried = Caller { patience: Some(HURRIED), ..access.aws(&declared.region, declared.endpoint.as_deref())? };
        let parsed = match declared.planned {
            true => Ok(Template::unread(&declared.template_path)),
            false => template::parse(&declared.template_path, &declared.template),
        };
        let template = parsed.map_err(|findings| InfraError::Invalid { what: format!("`{}`", declared.template_path), findings })?;
        Ok(Self { caller, hurried, wish: Wish { declared, template } })
    }

    fn template(&self) -> &Template {
        &self.wish.template
    }

    async fn run(&self, watch: &dyn Watch, goal: Goal) -> Result<Ended, InfraError> {
        Ok(Drive::new(&self.caller, &self.wish, watch).run(goal).await?)
    }

    fn failed(&self, stack: &StackSeen, ended: &Ended) -> InfraError {
        let findings = causes(&ended.events, &self.template().path);
        let hint = match stack.status.settled() {
            Settled::Ready => "what stood before stands again; mend the cause and run it again",
            Settled::HalfWay => "mend the cause, then `wharf infra apply`; `--skip RESOURCE` leaves one as it is",
            Settled::Broken if stack.status_text == "DELETE_FAILED" => {
                "mend the cause and run `wharf infra destroy` again; `--retain RESOURCE` lets go of one"
            }
            _ => "mend the cause, then `wharf infra apply`: it removes what failed first, after asking",
        };
        let rolled_back = stack.status.is_rolled_back();
        InfraError::Failed { message: why(stack, &findings), findings, hint: hint.to_owned(), rolled_back }
    }

    /// What all runs end in that did not do what was asked.
    fn problem(&self, ended: Ended) -> InfraError {
        let stack = &self.wish.declared.stack;
        match &ended.ending {
            Ending::Failed(seen) => self.failed(seen, &ended),
            Ending::Refused(reason) => {
                let findings = vec![self.template().refused(reason)];
                InfraError::Invalid { what: format!("`{}`", self.template().path), findings }
            }
            Ending::Call(failure) if failure.kind == FailureKind::Invalid => {
                let findings = vec![self.template().refused(&failure.to_string())];
                InfraError::Invalid { what: format!("`{}`", self.template().path), findings }
            }
            Ending::Call(failure) => InfraError::Call(failure.clone()),
            Ending::Unsettled(seen) => {
                let reason = if seen.reason.is_empty() { String::new() } else { format!(": {}", seen.reason) };
                InfraError::Unsettled { message: format!("`{stack}` is {}{reason}", seen.status_text) }
            }
            Ending::Stale(message) => InfraError::Stale { message: format!("`{stack}`: {message}") },
            Ending::Foreign(said) => self.foreign(said),
            Ending::Protected(_) => InfraError::Failed {
                message: format!("`{stack}` is protected from being removed"),
                findings: Vec::new(),
                hint: "turn its termination protection off first".to_owned(),
                rolled_back: false,
            },
            Ending::Slow(status) => InfraError::Slow { message: format!("`{stack}` is still {} after three hours", status.name()) },
            Ending::Settled | Ending::Prepared { .. } | Ending::Unchanged(_) | Ending::Done(_) | Ending::Gone(_) => {
                InfraError::Call(Failure::new("step", FailureKind::Unreadable, format!("an unexpected end: {:?}", ended.ending)))
            }
        }
    }

    /// What is carried out is carried out on our stack, or on the very one that the plan said it takes over.
    async fn owned(&self, plan: &Plan) -> Result<(), InfraError> {
        let stack = Api(&self.caller).stack(&plan.stack_id).await?;
        match stack.and_then(|stack| self.wish.owner().differs(&stack)) {
            Some(said) if said != plan.takes_over => Err(self.foreign(&said)),
            _ => Ok(()),
        }
    }

    fn standing(&self, stack: StackSeen) -> Standing {
        let unsettled = matches!(stack.status.settled(), Settled::HalfWay | Settled::Broken);
        let foreign = self.wish.owner().differs(&stack).unwrap_or_default();
        Standing { id: stack.id, status: stack.status_text, reason: stack.reason, unsettled, outputs: stack.outputs, foreign }
    }

    fn planned(&self, stack_id: String, change_set: String, new: bool, changes: Vec<crate::plan::Change>) -> Plan {
        let declared = &self.wish.declared;
        Plan {
            format: 1,
            provider: CLOUDFORMATION.name.to_owned(),
            name: declared.name.clone(),
            project: declared.project.clone(),
            environment: declared.environment.clone(),
            stack: declared.stack.clone(),
            stack_id,
            region: declared.region.clone(),
            endpoint: declared.endpoint.clone(),
            change_set,
            new,
            takes_over: String::new(),
            made: self.caller.pace.now().rfc3339(),
            template: base::ids::hex(&Sha256::digest(&declared.template)),
            changes,
        }
    }
}

/// What nobody has to be told.
struct Unwatched;

impl Watch for Unwatched {
    fn event(&self, _: &crate::provider::Event) {}
    fn note(&self, _: &str) {}
}

#[async_trait]
impl Provider for CloudFormation {
    fn check(&self) -> Vec<Finding> {
        self.template().check(&self.wish.declared)
    }

    async fn validate(&self) -> Result<Vec<Finding>, InfraError> {
        match Api(&self.caller).validate(&self.wish.declared.template).await {
            Ok(()) => Ok(Vec::new()),
            Err(failure) if matches!(failure.kind, FailureKind::Invalid | FailureKind::Missing) => {
                Ok(vec![self.template().refused(&failure.message)])
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn read(&self) -> Result<Option<Standing>, InfraError> {
        Ok(Api(&self.caller)
            .stack(&self.wish.declared.stack)
            .await?
            .filter(|stack| stack.status.settled() != Settled::Gone)
            .map(|stack| self.standing(stack)))
    }

    fn foreign(&self, said: &str) -> InfraError {
        let Declared { stack, project, name, environment, .. } = &self.wish.declared;
        let message = format!("`{stack}` is not the stack of `infra.{name}` of `{project}` in the environment `{environment}`: {said}");
        let hints = vec![
            format!("give it a name of its own: `infra.{name}.stack`, with a setting that each environment sets"),
            "or, if it is to be this one's from now on, pass `--take-over`".to_owned(),
        ];
        InfraError::Foreign { message, hints }
    }

    async fn settle(&self, watch: &dyn Watch, skip: &[String]) -> Result<(), InfraError> {
        let ended = self.run(watch, Goal::Settle { skip: skip.to_vec() }).await?;
        if ended.ending == Ending::Settled { Ok(()) } else { Err(self.problem(ended)) }
    }

    async fn plan(&self, watch: &dyn Watch) -> Result<Plan, InfraError> {
        let import = !self.wish.declared.imports.is_empty();
        let goal = Goal::Prepare { digest: self.wish.digest(), import, fresh: !self.wish.declared.secrets.is_empty() };
        let ended = self.run(watch, goal).await?;
        match ended.ending {
            Ending::Prepared { set, new, takes_over } => Ok(Plan { takes_over, ..self.planned(set.stack, set.id, new, set.changes) }),
            Ending::Unchanged(stack) => {
                let takes_over = self.wish.owner().differs(&stack).unwrap_or_default();
                Ok(Plan { takes_over, ..self.planned(stack.id, String::new(), false, Vec::new()) })
            }
            _ => Err(self.problem(ended)),
        }
    }

    async fn discard(&self, plan: &Plan) -> Result<(), InfraError> {
        if plan.is_empty() {
            return Ok(());
        }
        let api = Api(&self.caller);
        super::api::found(api.delete_change_set(&plan.change_set).await)?;
        // Of a stack that was never made nothing is left but its name; it goes, too, unless somebody made it in between.
        let stack = if plan.new { api.stack(&plan.stack_id).await? } else { None };
        if stack.is_none_or(|stack| stack.status.settled() != Settled::Empty) {
            return Ok(());
        }
        let ended = self.run(&Unwatched, Goal::Remove { retain: Vec::new() }).await?;
        if matches!(ended.ending, Ending::Gone(_)) { Ok(()) } else { Err(self.problem(ended)) }
    }

    async fn apply(&self, watch: &dyn Watch, plan: &Plan) -> Result<Standing, InfraError> {
        self.owned(plan).await?;
        if plan.is_empty() {
            let stands = self.read().await?;
            return stands.ok_or_else(|| InfraError::Stale { message: format!("`{}` is not there any more", plan.stack) });
        }
        let goal = Goal::Execute { change_set: plan.change_set.clone(), stack: plan.stack_id.clone() };
        let api = Api(&self.caller);
        // What is carried out is what was shown, whatever happened to the file or the change set in between.
        if let Some(set) = api.change_set(&plan.change_set, None).await?
            && set.execution == super::seen::Execution::Available
            && set.changes != plan.changes
        {
            return Err(InfraError::Stale { message: format!("`{}`: the change set is not the one that was shown", plan.stack) });
        }
        let ended = self.run(watch, goal).await?;
        match ended.ending {
            Ending::Done(stack) => Ok(self.standing(stack)),
            _ => Err(self.problem(ended)),
        }
    }

    async fn drift(&self, _: &dyn Watch) -> Result<Vec<Drifted>, InfraError> {
        Ok(Api(&self.hurried).drift(&self.wish.declared.stack).await?)
    }

    async fn remove(&self, watch: &dyn Watch, retain: &[String]) -> Result<Removed, InfraError> {
        let ended = self.run(watch, Goal::Remove { retain: retain.to_vec() }).await?;
        match &ended.ending {
            Ending::Gone(None) => Ok(Removed::default()),
            Ending::Gone(Some(id)) => {
                let kept = |status: &str| matches!(status, "DELETE_SKIPPED" | "DELETE_FAILED");
                let resources = Api(&self.caller).resources(id).await?;
                let retained = resources.into_iter().filter(|resource| kept(&resource.status) && !resource.physical.is_empty());
                let retained = retained.map(|resource| (resource.id, resource.kind, resource.physical)).collect();
                Ok(Removed { existed: true, retained })
            }
            _ => Err(self.problem(ended)),
        }
    }

    async fn left(&self) -> Result<Vec<Left>, InfraError> {
        let stack = Api(&self.caller).stack(&self.wish.declared.stack).await?.filter(|stack| stack.status.settled() != Settled::Gone);
        let mut left: Vec<Left> = stack.into_iter().map(|stack| Left { id: stack.id, by: "stack".to_owned() }).collect();
        let tags = self.wish.tags();
        debug_assert!(tags.iter().map(|(key, _)| *key).eq([PROJECT_TAG, NAME_TAG, ENVIRONMENT_TAG]), "tags are searched as they are set");
        let tagged = tagged::resources(&self.caller, &tags).await?;
        left.extend(tagged.into_iter().map(|id| Left { id, by: "tag".to_owned() }));
        Ok(left)
    }

    async fn cluster(&self, name: &str) -> Result<ClusterAccess, InfraError> {
        Ok(eks::describe(&self.caller, name).await?)
    }

    async fn token(&self, cluster: &str) -> Result<(crate::aws::Secret, base::Timestamp), InfraError> {
        let (token, time) = eks::token(&self.caller, cluster).await?;
        Ok((token, time.plus(Duration::from_secs(14 * 60))))
    }
}
