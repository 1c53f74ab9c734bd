//! What a push began: the branches of a repository are held against those that were known, and the difference begins runs.
//!
//! Runs and the branches that are known from then on are one write. A push that was acknowledged stands in the repository, so that
//! a server that dies before this sees the difference when it starts again.

use super::{Server, ServerError};
use crate::rules::{Moved, Rules};
use crate::run::{RunId, Trigger};
use crate::runs::{Asked, Pending, Refs};

/// A branch that moved, and what it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// Its runs with their environments; none where no rule fits.
    pub runs: Vec<(RunId, String)>,
}

/// Who moved it.
pub(super) enum By {
    /// Who pushed.
    Push(String),
    /// A hook.
    Hook(Pending),
}

impl By {
    fn trigger(&self) -> Trigger {
        match self {
            Self::Push(by) => Trigger::Push { by: by.clone() },
            Self::Hook(pending) => Trigger::Hook { provider: pending.provider.clone(), delivery: pending.delivery.clone() },
        }
    }
}

impl Server {
    /// Looks what of a repository is new, under its lock.
    pub(super) async fn look(&self, repository: &str, by: &By) -> Result<Vec<Pushed>, ServerError> {
        let core = &self.core;
        let before = core.runs.branches(repository);
        let now = core.repositories.branches(repository).await?;
        let is_hook = matches!(by, By::Hook(_));
        if before == now && !is_hook {
            return Ok(Vec::new());
        }
        let default = core.repositories.default_branch(repository, &now).await?;
        let (mut asked, mut pushed) = (Vec::new(), Vec::new());
        for (branch, id) in &now {
            let old = before.get(branch);
            if old == Some(id) {
                continue;
            }
            let wanted = self.wanted(repository, Tip { branch, id, old, is_default: *branch == default }).await?;
            let commit = core.repositories.commit(repository, id).await?;
            pushed.push((branch.clone(), wanted.iter().map(|(environment, _)| environment.clone()).collect::<Vec<_>>()));
            asked.extend(wanted.into_iter().map(|(environment, work)| Asked {
                repository: repository.to_owned(),
                branch: branch.clone(),
                environment,
                commit: commit.clone(),
                trigger: by.trigger(),
                work,
            }));
        }
        let refs =
            Refs { branches: Some((repository.to_owned(), now)), fetched: is_hook.then(|| repository.to_owned()), ..Refs::default() };
        let mut begun = core.runs.begin(asked, refs).await?.into_iter();
        let with_numbers = |(branch, environments): (String, Vec<String>)| {
            let runs = environments.into_iter().filter_map(|environment| Some((begun.next()?, environment))).collect();
            Pushed { branch, runs }
        };
        Ok(pushed.into_iter().map(with_numbers).collect())
    }

    async fn wanted(&self, repository: &str, tip: Tip<'_>) -> Result<Vec<(String, crate::runs::Work)>, ServerError> {
        let repositories = &self.core.repositories;
        // Settings that are too large or cannot be read are told by the run itself.
        let settings = repositories.settings(repository, tip.id).await.ok().flatten();
        let rules = settings.and_then(|text| (self.core.options.rules)(&text)).unwrap_or_else(Rules::default);
        let changed = match tip.old {
            Some(old) if rules.looks_at_paths() => repositories.changed(repository, old, tip.id).await,
            _ => None,
        };
        Ok(rules.wanted(&Moved { branch: tip.branch, is_default: tip.is_default, changed: changed.as_deref() }))
    }

    /// Fetches a repository that lies elsewhere, and looks what is new.
    pub(super) async fn fetch_one(&self, repository: &str, pending: &Pending) -> Result<Vec<Pushed>, ServerError> {
        let lock = self.lock(repository);
        let _held = lock.lock().await;
        let known = self.core.repositories.known(repository)?;
        if let Some(url) = &known.url {
            let sealed = known.token.as_deref();
            let token = sealed.map(|sealed| self.core.secrets.open(&token_purpose(repository), sealed)).transpose()?;
            self.core.repositories.fetch(repository, url, token.as_deref()).await?;
        }
        self.look(repository, &By::Hook(pending.clone())).await
    }
}

struct Tip<'a> {
    branch: &'a str,
    id: &'a str,
    old: Option<&'a String>,
    is_default: bool,
}

/// What the token of a repository's URL is sealed for.
pub fn token_purpose(repository: &str) -> String {
    format!("the URL of `{repository}`")
}

/// What the secret of a repository's hook is sealed for.
pub fn hook_purpose(repository: &str) -> String {
    format!("the hook of `{repository}`")
}
