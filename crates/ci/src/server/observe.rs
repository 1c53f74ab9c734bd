//! What a push began: the branches of a repository are held against those that were known, and the difference begins runs.
//!
//! Runs and the branches that are known from then on are one write. A push that was acknowledged stands in the repository, so that
//! a server that dies before this sees the difference when it starts again.

use super::{Server, ServerError};
use crate::folder::ProjectFolder;
use crate::repositories::Known;
use crate::rules::{Moved, Rules};
use crate::run::{RunId, Trigger};
use crate::runs::{Asked, Pending, Refs, Work};
use std::fmt;

/// A branch that moved, and what it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// Its runs; none where no rule fits.
    pub runs: Vec<Started>,
    /// Projects of the repository that the commit does not have.
    pub missing: Vec<ProjectFolder>,
}

/// A run that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its number.
    pub run: RunId,
    /// Its project.
    pub project: ProjectFolder,
    /// Its environment.
    pub environment: String,
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.branch)?;
        for started in &self.runs {
            write!(f, " run {} {}for {}", started.run, of(&started.project), started.environment)?;
        }
        if self.runs.is_empty() { f.write_str(" no run") } else { Ok(()) }
    }
}

/// Which project a run is of, where that is not the root of its repository.
pub(super) fn of(project: &ProjectFolder) -> String {
    if project.is_root() { String::new() } else { format!("of {project} ") }
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
        let known = core.repositories.known(repository)?;
        let (mut asked, mut pushed) = (Vec::new(), Vec::new());
        for (branch, id) in &now {
            let old = before.get(branch);
            if old == Some(id) {
                continue;
            }
            let commit = core.repositories.commit(repository, id).await?;
            let (here, missing) = self.projects(repository, id, &known).await;
            let from = asked.len();
            for project in here {
                let tip = Tip { branch, id, old, is_default: *branch == default };
                let wanted = self.wanted(repository, &project, tip).await;
                asked.extend(wanted.into_iter().map(|(environment, work)| Asked {
                    repository: repository.to_owned(),
                    project: project.clone(),
                    branch: branch.clone(),
                    environment,
                    commit: commit.clone(),
                    trigger: by.trigger(),
                    work,
                }));
            }
            pushed.push((branch.clone(), from..asked.len(), missing));
        }
        let refs =
            Refs { branches: Some((repository.to_owned(), now)), fetched: is_hook.then(|| repository.to_owned()), ..Refs::default() };
        let named: Vec<_> = asked.iter().map(|asked| (asked.project.clone(), asked.environment.clone())).collect();
        let begun = core.runs.begin(asked, refs).await?.into_iter().zip(named);
        let begun: Vec<_> = begun.map(|(run, (project, environment))| Started { run, project, environment }).collect();
        let with_runs = |(branch, range, missing): (String, std::ops::Range<usize>, Vec<ProjectFolder>)| Pushed {
            branch,
            runs: begun.get(range).unwrap_or_default().to_vec(),
            missing,
        };
        Ok(pushed.into_iter().map(with_runs).collect())
    }

    /// The projects that a commit has, and those that it has not. Where it has none of them it is said to have all: their runs fail and
    /// say why, so that a wrong path does not go unnoticed.
    async fn projects(&self, repository: &str, id: &str, known: &Known) -> (Vec<ProjectFolder>, Vec<ProjectFolder>) {
        let (mut here, mut missing) = (Vec::new(), Vec::new());
        for folder in known.folders() {
            let there = folder.is_root() || self.core.repositories.has_folder(repository, id, &folder).await;
            if there { here.push(folder) } else { missing.push(folder) }
        }
        if here.is_empty() { (missing, Vec::new()) } else { (here, missing) }
    }

    /// The runs that a project's own settings want. Files that changed count from its folder.
    async fn wanted(&self, repository: &str, project: &ProjectFolder, tip: Tip<'_>) -> Vec<(String, Work)> {
        let repositories = &self.core.repositories;
        // Settings that are too large or cannot be read are told by the run itself.
        let settings = repositories.settings(repository, tip.id, project).await.ok().flatten();
        let rules = settings.and_then(|text| (self.core.options.rules)(&text)).unwrap_or_else(Rules::default);
        let changed = match tip.old {
            Some(old) if rules.looks_at_paths() => repositories.changed(repository, old, tip.id).await,
            _ => None,
        };
        let changed: Option<Vec<String>> = changed.map(|files| files.iter().map(|file| project.relative(file)).collect());
        rules.wanted(&Moved { branch: tip.branch, is_default: tip.is_default, changed: changed.as_deref() })
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
