//! `wharf ci repository`: those that lie on the server, and those that it watches elsewhere.

use super::{Root, git, host, secret_file};
use crate::context::Context;
use base::{Problem, ProblemKind};
use ci::{Known, ProjectFolder, Repositories, RepositoryError, Secrets};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Repository {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes one: empty, to be pushed to; or one that lies elsewhere and tells by web hooks
    Add {
        /// Its name
        name: String,
        /// Where it lies; it is fetched whole, when a web hook says that it has changed
        #[arg(long, value_name = "URL", requires = "hook_secret_file")]
        url: Option<String>,
        /// The secret that its web hooks are signed with, in this file
        #[arg(long, value_name = "FILE")]
        hook_secret_file: Option<PathBuf>,
        /// A token that opens the URL, in this file
        #[arg(long, value_name = "FILE", requires = "url")]
        token_file: Option<PathBuf>,
        /// The folder that has wharf.yaml, where that is not the root; may be repeated: each is a project with runs of its own
        #[arg(long = "folder", value_name = "DIR", value_parser = ProjectFolder::parse)]
        projects: Vec<ProjectFolder>,
        #[command(flatten)]
        root: Root,
    },
    /// Says anew which folders of one are projects; what is pushed from now on goes by it
    Set {
        /// Its name
        name: String,
        /// A folder that has a wharf.yaml, `.` for the root; may be repeated
        #[arg(long = "folder", value_name = "DIR", value_parser = ProjectFolder::parse, required = true)]
        projects: Vec<ProjectFolder>,
        #[command(flatten)]
        root: Root,
    },
    /// Removes one with all that was pushed to it, and the secrets of its runs; the runs stay
    Rm {
        /// Its name
        name: String,
        #[command(flatten)]
        root: Root,
    },
    /// Lists them, and where their projects are
    #[command(alias = "list")]
    Ls {
        #[command(flatten)]
        root: Root,
    },
}

pub(super) fn run(context: &Context, asked: Repository) -> Result<(), Problem> {
    let output = &context.output;
    if context.globals.project.is_some() {
        let message = "`--project` names a folder of this machine, and no repository's";
        return Err(Problem::new(ProblemKind::Usage, message).hint("`--folder DIR` says where in a repository its project is"));
    }
    let open = |root: &Root| {
        let root = root.made(context)?;
        Ok::<_, Problem>((Repositories::open(&root.join("repositories"), git()).map_err(|error| host(&error))?, Secrets::new(&root)))
    };
    match asked.what {
        What::Add { name, url, hook_secret_file, token_file, projects, root } => {
            let (repositories, secrets) = open(&root)?;
            let read = |path: Option<PathBuf>| path.map(|path| secret_file(&path)).transpose();
            let known = known(&secrets, &name, url, read(hook_secret_file)?, read(token_file)?).map_err(|error| host(&error))?;
            let known = Known { projects: once_each(projects), ..known };
            context.tokio()?.block_on(repositories.add(&name, &known)).map_err(problem)?;
            let where_to = if known.hook.is_some() { format!("; its web hooks go to /hooks/{name}") } else { String::new() };
            output.say(&format!("the repository `{name}` is there{where_to}"));
        }
        What::Set { name, projects, root } => {
            let projects = once_each(projects);
            open(&root)?.0.set_projects(&name, &projects).map_err(problem)?;
            output.say(&format!("the projects of `{name}` from the next push on: {}", shown(&projects)));
        }
        What::Rm { name, root } => {
            let (repositories, secrets) = open(&root)?;
            repositories.remove(&name).map_err(problem)?;
            let secrets = secrets.remove_all(&name).map_err(|error| host(&error))?;
            output.say(&format!("the repository `{name}` is gone, and {secrets} secrets of its runs"));
        }
        What::Ls { root } => {
            let repositories = open(&root)?.0;
            for name in repositories.names().map_err(|error| host(&error))? {
                let known = repositories.known(&name).map_err(problem)?;
                if output.is_json() {
                    output.json(&json!({"repository": name, "url": known.url, "hook": known.hook.is_some(), "projects": paths(&known)}));
                } else {
                    output.data(&format!("{name:<32} {:<40} {}", known.url.as_deref().unwrap_or("here"), shown(&known.folders())));
                }
            }
        }
    }
    Ok(())
}

/// Each folder once, in the order in which they were named.
fn once_each(folders: Vec<ProjectFolder>) -> Vec<ProjectFolder> {
    let mut seen = std::collections::BTreeSet::new();
    folders.into_iter().filter(|folder| seen.insert(folder.clone())).collect()
}

fn paths(known: &Known) -> Vec<String> {
    known.folders().iter().map(ToString::to_string).collect()
}

fn shown(folders: &[ProjectFolder]) -> String {
    folders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn known(
    secrets: &Secrets,
    name: &str,
    url: Option<String>,
    hook: Option<String>,
    token: Option<String>,
) -> Result<Known, ci::SecretError> {
    Ok(Known {
        url,
        hook: hook.map(|hook| secrets.seal(&ci::hook_purpose(name), &hook)).transpose()?,
        token: token.map(|token| secrets.seal(&ci::token_purpose(name), &token)).transpose()?,
        ..Known::default()
    })
}

fn problem(error: RepositoryError) -> Problem {
    match error {
        RepositoryError::Git(_) | RepositoryError::File(_) => host(&error),
        error => Problem::new(ProblemKind::Usage, error.to_string()).hint("`wharf ci repository ls` lists them"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn folders_are_named_and_checked_on_the_command_line() {
        let check = |words: &str| crate::cli::check(format!("wharf ci repository {words}").split(' ').map(std::ffi::OsString::from));
        for words in ["add shop --folder a --folder b/c", "set shop --folder .", "list", "ls", "rm shop"] {
            check(words).unwrap_or_else(|error| panic!("{words}: {error}"));
        }
        for words in ["set shop", "add shop --folder ../a", "add shop --folder /a", "set shop --folder a/.git"] {
            check(words).expect_err(words);
        }
    }
}
