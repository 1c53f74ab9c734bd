//! `wharf ci repository`: those that lie on the server, and those that it watches elsewhere.

use super::{Root, git, host, secret_file};
use crate::context::Context;
use base::{Problem, ProblemKind};
use ci::{Known, Repositories, RepositoryError, Secrets};
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
        #[command(flatten)]
        root: Root,
    },
    /// Removes one with all that was pushed to it; its runs stay
    Rm {
        /// Its name
        name: String,
        #[command(flatten)]
        root: Root,
    },
    /// Lists them
    Ls {
        #[command(flatten)]
        root: Root,
    },
}

pub(super) fn run(context: &Context, asked: Repository) -> Result<(), Problem> {
    let output = &context.output;
    let open = |root: &Root| {
        let root = root.made(context)?;
        Ok::<_, Problem>((Repositories::open(&root.join("repositories"), git()).map_err(|error| host(&error))?, Secrets::new(&root)))
    };
    match asked.what {
        What::Add { name, url, hook_secret_file, token_file, root } => {
            let (repositories, secrets) = open(&root)?;
            let read = |path: Option<PathBuf>| path.map(|path| secret_file(&path)).transpose();
            let known = known(&secrets, &name, url, read(hook_secret_file)?, read(token_file)?).map_err(|error| host(&error))?;
            context.tokio()?.block_on(repositories.add(&name, &known)).map_err(problem)?;
            let where_to = if known.hook.is_some() { format!("; its web hooks go to /hooks/{name}") } else { String::new() };
            output.say(&format!("the repository `{name}` is there{where_to}"));
        }
        What::Rm { name, root } => {
            open(&root)?.0.remove(&name).map_err(problem)?;
            output.say(&format!("the repository `{name}` is gone"));
        }
        What::Ls { root } => {
            let repositories = open(&root)?.0;
            for name in repositories.names().map_err(|error| host(&error))? {
                let known = repositories.known(&name).map_err(problem)?;
                if output.is_json() {
                    output.json(&json!({"repository": name, "url": known.url, "hook": known.hook.is_some()}));
                } else {
                    output.data(&format!("{name:<32} {}", known.url.as_deref().unwrap_or("here")));
                }
            }
        }
    }
    Ok(())
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
    })
}

fn problem(error: RepositoryError) -> Problem {
    match error {
        RepositoryError::Git(_) | RepositoryError::File(_) => host(&error),
        error => Problem::new(ProblemKind::Usage, error.to_string()).hint("`wharf ci repository ls` lists them"),
    }
}
