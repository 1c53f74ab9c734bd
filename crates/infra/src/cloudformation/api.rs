//! The calls of CloudFormation's query API (API version 2010-05-15) that are made, with their parameters and answers.

use super::changes;
use super::events::Read;
use super::list::numbered;
use super::seen::{ChangeSetSeen, StackSeen};
use super::step::SetKind;
use super::wish::Wish;
use crate::aws::{Caller, Node, Service};
use crate::failure::{Failure, FailureKind};

const SERVICE: Service = Service { name: "cloudformation", version: "2010-05-15" };
/// Answers come in pages; more than this many are no answer.
const MOST_PAGES: usize = 200;

/// Makes the calls.
pub struct Api<'a>(pub &'a Caller);

/// What is missing is no failure of a call that looks.
pub(crate) fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.kind == FailureKind::Missing => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(crate) fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Api<'_> {
    pub(crate) async fn call(&self, action: &str, parameters: &[(String, String)]) -> Result<Node, Failure> {
        self.0.query(SERVICE, action, parameters).await
    }

    /// All pages of a call; `take` sees each and says whether further ones are wanted.
    pub(crate) async fn pages(
        &self,
        action: &str,
        parameters: &[(String, String)],
        mut take: impl FnMut(&Node) -> bool + Send,
    ) -> Result<(), Failure> {
        let mut parameters = parameters.to_vec();
        for _ in 0..MOST_PAGES {
            let page = self.call(action, &parameters).await?;
            let next = page.some_text("NextToken");
            parameters.retain(|(name, _)| name != "NextToken");
            match next {
                Some(next) if take(&page) => parameters.push(pair("NextToken", &next)),
                Some(_) => return Ok(()),
                None => {
                    take(&page);
                    return Ok(());
                }
            }
        }
        Err(Failure::new(action, FailureKind::Unreadable, format!("the answer has more than {MOST_PAGES} pages")))
    }

    /// A stack by name or id; one that was removed is found by id alone.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn stack(&self, stack: &str) -> Result<Option<StackSeen>, Failure> {
        let answer = found(self.call("DescribeStacks", &[pair("StackName", stack)]).await)?;
        Ok(answer.and_then(|answer| answer.members("Stacks").next().map(StackSeen::read)))
    }

    /// A change set with all its changes.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn change_set(&self, change_set: &str, stack: Option<&str>) -> Result<Option<ChangeSetSeen>, Failure> {
        let mut parameters = vec![pair("ChangeSetName", change_set)];
        parameters.extend(stack.map(|stack| pair("StackName", stack)));
        let mut seen: Option<ChangeSetSeen> = None;
        let take = |page: &Node| {
            let changes = changes::read(page);
            seen.get_or_insert_with(|| ChangeSetSeen::read(page)).changes.extend(changes);
            true
        };
        let answer = found(self.pages("DescribeChangeSet", &parameters, take).await)?;
        Ok(answer.and(seen))
    }

    /// Events, newest first, until `enough` says so.
    pub(crate) async fn events(&self, stack: &str, mut enough: impl FnMut(&[Read]) -> bool + Send) -> Result<Vec<Read>, Failure> {
        let mut all: Vec<Read> = Vec::new();
        let take = |page: &Node| {
            let page: Vec<Read> = page.members("StackEvents").map(Read::of).collect();
            let more = !enough(&page);
            all.extend(page);
            more
        };
        found(self.pages("DescribeStackEvents", &[pair("StackName", stack)], take).await)?;
        Ok(all)
    }

    pub(crate) async fn create_change_set(&self, wish: &Wish, name: &str, kind: SetKind) -> Result<(), Failure> {
        let kind = match kind {
            SetKind::Create => "CREATE",
            SetKind::Update => "UPDATE",
            SetKind::Import => "IMPORT",
        };
        let mut parameters = wish.parameters();
        parameters.extend([pair("ChangeSetName", name), pair("ClientToken", name), pair("ChangeSetType", kind)]);
        self.call("CreateChangeSet", &parameters).await.map(drop)
    }

    pub(crate) async fn delete_change_set(&self, id: &str) -> Result<(), Failure> {
        self.call("DeleteChangeSet", &[pair("ChangeSetName", id)]).await.map(drop)
    }

    pub(crate) async fn execute(&self, id: &str, token: &str) -> Result<(), Failure> {
        self.call("ExecuteChangeSet", &[pair("ChangeSetName", id), pair("ClientRequestToken", token)]).await.map(drop)
    }

    pub(crate) async fn continue_rollback(&self, stack: &str, token: &str, skip: &[String], role: Option<&str>) -> Result<(), Failure> {
        let mut parameters = vec![pair("StackName", stack), pair("ClientRequestToken", token)];
        parameters.extend(numbered("ResourcesToSkip.member", skip));
        parameters.extend(role.map(|role| pair("RoleARN", role)));
        self.call("ContinueUpdateRollback", &parameters).await.map(drop)
    }

    pub(crate) async fn delete(&self, stack: &str, token: &str, retain: &[String], role: Option<&str>) -> Result<(), Failure> {
        let mut parameters = vec![pair("StackName", stack), pair("ClientRequestToken", token)];
        parameters.extend(numbered("RetainResources.member", retain));
        parameters.extend(role.map(|role| pair("RoleARN", role)));
        self.call("DeleteStack", &parameters).await.map(drop)
    }

    pub(crate) async fn validate(&self, template: &str) -> Result<(), Failure> {
        self.call("ValidateTemplate", &[pair("TemplateBody", template)]).await.map(drop)
    }
}
