//! Whose a stack is: its tags say for which project, entry and environment it was made.
//!
//! A stack's name alone says nothing of that: by default all environments have the same, and `stack:` may name anybody's.

use super::seen::StackSeen;
use super::status::Settled;
use std::collections::BTreeMap;

/// Whose a stack must be to be changed or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The tags that it must have.
    pub tags: BTreeMap<String, String>,
    /// Whether another's may be taken over.
    pub take_over: bool,
}

impl Owner {
    /// What a stack's tags say otherwise; nothing where it is ours, or nobody's yet: one that waits for its first change set holds no
    /// resource.
    pub fn differs(&self, stack: &StackSeen) -> Option<String> {
        if matches!(stack.status.settled(), Settled::Empty | Settled::Gone) {
            return None;
        }
        let said: Vec<String> = self.tags.iter().filter_map(|(key, wanted)| said(key, wanted, stack.tags.get(key))).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The same where it stands in the way.
    pub(super) fn refuses(&self, stack: &StackSeen) -> Option<String> {
        self.differs(stack).filter(|_| !self.take_over)
    }
}

fn said(key: &str, wanted: &str, found: Option<&String>) -> Option<String> {
    match found {
        Some(found) if found == wanted => None,
        Some(found) => Some(format!("its tag `{key}` is `{found}`, not `{wanted}`")),
        None => Some(format!("it has no tag `{key}` of `{wanted}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::status::StackStatus;
    use crate::cloudformation::{Action, Ending, Goal, Observation, StackState, step};
    use base::Timestamp;

    const ENVIRONMENT: &str = "wharf.local/environment";

    fn owner(take_over: bool) -> Owner {
        let tags = [("wharf.local/project", "jobs"), ("wharf.local/infra", "cluster"), (ENVIRONMENT, "staging")];
        Owner { tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(), take_over }
    }

    fn stack(status: StackStatus, change: &[(&str, &str)]) -> StackSeen {
        let mut tags = owner(false).tags;
        tags.extend(change.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let text = || String::new();
        StackSeen {
            id: "arn:stack".to_owned(),
            name: "jobs-cluster".to_owned(),
            status,
            status_text: status.name().to_owned(),
            reason: text(),
            created: text(),
            updated: text(),
            deleted: text(),
            outputs: BTreeMap::new(),
            tags,
            protected: false,
        }
    }

    /// What is done first where such a stack is seen.
    fn first(goal: Goal, owner: Owner, stack: StackSeen) -> Vec<Action> {
        let now = Timestamp::from_micros(1);
        let (state, _) = step(StackState::new(goal, owner, 1, now), Observation::Begin, now);
        step(state, Observation::Stack(Some(stack)), now).1
    }

    fn goals() -> [Goal; 3] {
        let prepare = Goal::Prepare { digest: "d".to_owned(), import: false, fresh: false };
        [Goal::Settle { skip: Vec::new() }, prepare, Goal::Remove { retain: Vec::new() }]
    }

    #[test]
    fn nothing_is_done_to_the_stack_of_another() {
        use StackStatus as Status;
        let of_prod: &[(&str, &str)] = &[(ENVIRONMENT, "prod")];
        for status in [
            Status::CreateComplete,
            Status::CreateInProgress,
            Status::UpdateInProgress,
            Status::UpdateRollbackFailed,
            Status::RollbackComplete,
            Status::DeleteFailed,
            Status::DeleteInProgress,
            Status::Other,
        ] {
            for goal in goals() {
                let actions = first(goal.clone(), owner(false), stack(status, of_prod));
                let [Action::Finish(Ending::Foreign(said))] = actions.as_slice() else { panic!("{status:?} {goal:?}: {actions:?}") };
                assert_eq!(said, "its tag `wharf.local/environment` is `prod`, not `staging`");
                for (owner, change) in [(owner(true), of_prod), (owner(false), &[] as &[_])] {
                    let actions = first(goal.clone(), owner, stack(status, change));
                    assert!(!matches!(actions.as_slice(), [Action::Finish(Ending::Foreign(_))]), "{status:?} {goal:?}: {actions:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_missing_is_named_and_a_stack_without_resources_is_nobodys() {
        let mut bare = stack(StackStatus::CreateComplete, &[]);
        bare.tags.remove("wharf.local/infra");
        assert_eq!(owner(false).differs(&bare).as_deref(), Some("it has no tag `wharf.local/infra` of `cluster`"));
        bare.tags.clear();
        assert_eq!(owner(false).differs(&bare).map(|said| said.matches("has no tag").count()), Some(3));
        bare.status = StackStatus::ReviewInProgress;
        assert_eq!(owner(false).differs(&bare), None);
    }
}
