//! What a push began: the branches of a repository are held against those that were known, and the difference begins runs.
//!
//! Runs and the branches that are known from then on are one write. A push that was acknowledged stands in the repository, so that
//! a server that dies before this sees the difference when it starts again.

use super::{Server, ServerError};
use crate::folder::ProjectFolder;
use crate::git::GitError;
use crate::repositories::Known;
use crate::rules::{Moved, Rules};
use crate::run::{RunId, Trigger};
use crate::runs::{Asked, Branches, Pending, Refs, Work, commit_of};
use std::collections::BTreeSet;
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

    /// Whether it says of this branch that it moved; a push is known by what it moved.
    fn is_about(&self, branch: &str) -> bool {
        match self {
            Self::Push(_) => true,
            Self::Hook(pending) => pending.branches.is_empty() || pending.branches.contains(branch),
        }
    }
}

/// What a look at a repository found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) pushed: Vec<Pushed>,
    /// Branches that could not be looked at, and why: they are known as before, and so looked at again the next time.
    pub(super) left: Vec<(String, ServerError)>,
}

impl Server {
    /// Looks what of a repository is new, under its lock.
    pub(super) async fn look(&self, repository: &str, by: &By) -> Result<Found, ServerError> {
        let core = &self.core;
        let instance = core.repositories.instance(repository)?;
        let before = core.runs.branches(&instance);
        let branches = core.repositories.branches(repository).await?;
        let (mut found, mut asked, mut ranges) = (Found::default(), Vec::new(), Vec::new());
        let moved = moved(before.as_ref(), &branches, by);
        let (mut now, is_first) = (recorded(before.as_ref(), &branches, &moved), before.is_none());
        let hook = if let By::Hook(pending) = by { Some(pending) } else { None };
        if before.as_ref().unwrap_or(&Branches::new()) == &now && hook.is_none() {
            return Ok(found);
        }
        let default = core.repositories.default_branch(repository, &branches).await?;
        let known = core.repositories.known(repository)?;
        for (branch, id, old) in moved {
            let tip = Tip { branch, id, old, is_default: *branch == default };
            let wanted = self.asked(repository, &known, by, tip).await;
            let wanted = wanted.and_then(|wanted| Ok((core.runs.room(asked.len() + wanted.0.len())?, wanted).1));
            match wanted {
                Ok((wanted, missing)) => {
                    let from = asked.len();
                    asked.extend(wanted);
                    ranges.push((branch.clone(), from..asked.len(), missing));
                }
                Err(error) => {
                    match before.as_ref().and_then(|before| before.get(branch)) {
                        Some(old) => now.insert(branch.clone(), old.clone()),
                        None => now.remove(branch),
                    };
                    found.left.push((branch.clone(), error));
                }
            }
        }
        // While something is left of it, a hook is still to be seen to.
        let fetched = hook.filter(|_| found.left.is_empty()).map(|pending| (repository.to_owned(), pending.clone()));
        let refs = Refs {
            branches: Some((instance, now)).filter(|(_, now)| !(is_first && now.is_empty() && hook.is_none())),
            fetched,
            ..Refs::default()
        };
        let named: Vec<_> = asked.iter().map(|asked: &Asked| (asked.project.clone(), asked.environment.clone())).collect();
        let begun = core.runs.begin(asked, refs).await?.into_iter().zip(named);
        let begun: Vec<_> = begun.map(|(run, (project, environment))| Started { run, project, environment }).collect();
        let with_runs = |(branch, range, missing): (String, std::ops::Range<usize>, Vec<ProjectFolder>)| Pushed {
            branch,
            runs: begun.get(range).unwrap_or_default().to_vec(),
            missing,
        };
        found.pushed = ranges.into_iter().map(with_runs).collect();
        Ok(found)
    }

    /// The runs that a branch wants, and the projects that it does not have.
    async fn asked(&self, repository: &str, known: &Known, by: &By, tip: Tip<'_>) -> Result<(Vec<Asked>, Vec<ProjectFolder>), ServerError> {
        let commit = self.core.repositories.commit(repository, tip.id).await?;
        let (here, missing) = self.projects(repository, tip.id, known).await?;
        let mut asked = Vec::new();
        for project in here {
            let wanted = self.wanted(repository, &project, tip).await?;
            asked.extend(wanted.into_iter().map(|(environment, work)| Asked {
                repository: repository.to_owned(),
                project: project.clone(),
                branch: tip.branch.to_owned(),
                environment,
                commit: commit.clone(),
                trigger: by.trigger(),
                work,
            }));
        }
        Ok((asked, missing))
    }

    /// The projects that a commit has, and those that it has not. Where it has none of them it is said to have all: their runs fail and
    /// say why, so that a wrong path does not go unnoticed.
    async fn projects(&self, repository: &str, id: &str, known: &Known) -> Result<(Vec<ProjectFolder>, Vec<ProjectFolder>), ServerError> {
        let (mut here, mut missing) = (Vec::new(), Vec::new());
        for folder in known.folders() {
            let there = folder.is_root() || self.core.repositories.has_folder(repository, id, &folder).await?;
            if there { here.push(folder) } else { missing.push(folder) }
        }
        Ok(if here.is_empty() { (missing, Vec::new()) } else { (here, missing) })
    }

    /// The runs that a project's own settings want. Files that changed count from its folder.
    async fn wanted(&self, repository: &str, project: &ProjectFolder, tip: Tip<'_>) -> Result<Vec<(String, Work)>, ServerError> {
        let repositories = &self.core.repositories;
        let settings = match repositories.settings(repository, tip.id, project).await {
            // Settings that are too large or cannot be read are told by the run itself.
            Err(GitError::Long { .. }) => None,
            // So does a folder that is not there.
            Err(GitError::Failed { .. }) if !project.is_root() && !repositories.has_folder(repository, tip.id, project).await? => None,
            // What git could not tell just now may say to which environments it goes, and to which not.
            settings => settings?,
        };
        let rules = settings.and_then(|text| (self.core.options.rules)(&text)).unwrap_or_else(Rules::default);
        let changed = match tip.old {
            Some(old) if rules.looks_at_paths() => repositories.changed(repository, old, tip.id).await,
            _ => None,
        };
        let changed: Option<Vec<String>> = changed.map(|files| files.iter().map(|file| project.relative(file)).collect());
        Ok(rules.wanted(&Moved { branch: tip.branch, is_default: tip.is_default, changed: changed.as_deref() }))
    }

    /// Fetches a repository that lies elsewhere, and looks what is new.
    pub(super) async fn fetch_one(&self, repository: &str, pending: &Pending) -> Result<Found, ServerError> {
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

/// The branches for which something is to begin: each with its commit and, where it is known, the one before.
fn moved<'a>(before: Option<&'a Branches>, now: &'a Branches, by: &By) -> Vec<(&'a String, &'a str, Option<&'a str>)> {
    let begins = |(branch, id): (&'a String, &'a String)| {
        let Some((old, is_new)) = before.and_then(|before| before.get(branch)).map(|old| commit_of(old)) else {
            // What a repository that lies elsewhere had before its first hook is nobody's push but that of the hook.
            return (before.is_some() || by.is_about(branch)).then_some((branch, id.as_str(), None));
        };
        if old != id {
            return Some((branch, id.as_str(), Some(old)));
        }
        (is_new && matches!(by, By::Hook(_)) && by.is_about(branch)).then_some((branch, id.as_str(), None))
    };
    now.iter().filter_map(begins).collect()
}

/// What is recorded of the branches once all that moved has been seen to.
fn recorded(before: Option<&Branches>, now: &Branches, moved: &[(&String, &str, Option<&str>)]) -> Branches {
    let begins: BTreeSet<&String> = moved.iter().map(|(branch, ..)| *branch).collect();
    let one = |(branch, id): (&String, &String)| {
        let old = before.and_then(|before| before.get(branch)).filter(|_| !begins.contains(branch));
        let untouched = || if begins.contains(branch) { id.clone() } else { format!("~{id}") };
        (branch.clone(), old.cloned().unwrap_or_else(untouched))
    };
    now.iter().map(one).collect()
}

#[derive(Clone, Copy)]
struct Tip<'a> {
    branch: &'a str,
    id: &'a str,
    old: Option<&'a str>,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(all: &[(&str, &str)]) -> Branches {
        all.iter().map(|(branch, id)| ((*branch).to_owned(), (*id).to_owned())).collect()
    }

    fn hook(about: &[&str]) -> By {
        let branches = about.iter().map(|branch| (*branch).to_owned()).collect();
        By::Hook(Pending { provider: "plain".into(), delivery: "d".into(), branches })
    }

    #[test]
    fn the_first_hook_begins_what_it_is_about_and_later_ones_what_moved() {
        let look = |before: Option<&Branches>, now: &Branches, by: &By| {
            let moved = moved(before, now, by);
            (moved.iter().map(|(branch, ..)| (*branch).clone()).collect::<Vec<_>>(), recorded(before, now, &moved))
        };
        let now = branches(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let (begun, first) = look(None, &now, &hook(&["a"]));
        assert_eq!((begun, &first), (vec!["a".to_owned()], &branches(&[("a", "1"), ("b", "~2"), ("c", "~3")])));
        // The hook of another one that was there already when the first one was fetched for, and once more.
        let (begun, second) = look(Some(&first), &now, &hook(&["b"]));
        assert_eq!((begun, &second), (vec!["b".to_owned()], &branches(&[("a", "1"), ("b", "2"), ("c", "~3")])));
        assert_eq!(look(Some(&second), &now, &hook(&["b"])), (Vec::new(), second.clone()));
        let moved = branches(&[("a", "1"), ("b", "2"), ("c", "4"), ("d", "5")]);
        let (begun, third) = look(Some(&second), &moved, &hook(&["c"]));
        assert_eq!((begun, third), (vec!["c".to_owned(), "d".to_owned()], moved.clone()));
        assert_eq!(look(None, &now, &By::Push("me".into())).1, now, "a push begins all that is new");
        assert_eq!(look(None, &now, &hook(&[])).1, now, "one that was kept before hooks named their branch");
    }
}
