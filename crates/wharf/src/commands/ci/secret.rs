//! `wharf ci secret`: variables of runs that are to be seen nowhere.

use super::{Root, host};
use crate::context::Context;
use crate::session::without_echo;
use base::{Problem, ProblemKind};
use ci::Secrets;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read};

/// The largest value.
const MOST: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Keeps a secret, sealed; its value is read from standard input
    Set {
        /// The repository whose runs get it
        repository: String,
        /// The variable that it is in
        name: String,
        /// Only for branches that fit this pattern; may be repeated
        #[arg(long = "branch", value_name = "PATTERN")]
        branches: Vec<String>,
        #[command(flatten)]
        root: Root,
    },
    /// Forgets a secret
    Rm {
        /// The repository
        repository: String,
        /// The variable
        name: String,
        #[command(flatten)]
        root: Root,
    },
    /// Lists them, without their values
    Ls {
        #[command(flatten)]
        root: Root,
    },
}

pub(super) fn run(context: &Context, asked: Secret) -> Result<(), Problem> {
    let output = &context.output;
    let secrets = |root: &Root| root.made(context).map(|root| Secrets::new(&root));
    match asked.what {
        What::Set { repository, name, branches, root } => {
            let value = value()?;
            if base::mask::is_too_short(value.as_bytes()) {
                let message = format!("the value of `{name}` is too short to be told from other text");
                return Err(Problem::new(ProblemKind::Usage, message).hint(format!("use {} characters or more", base::mask::SHORTEST)));
            }
            let secret = ci::Secret { repository, name, branches };
            let told = format!("`{}` is kept for the runs of `{}`", secret.name, secret.repository);
            secrets(&root)?.set(secret, &value).map_err(problem)?;
            output.say(&told);
        }
        What::Rm { repository, name, root } => {
            if !secrets(&root)?.remove(&repository, &name).map_err(problem)? {
                return Err(Problem::new(ProblemKind::Usage, format!("there is no secret `{name}` of `{repository}`"))
                    .hint("`wharf ci secret ls` lists them"));
            }
            output.say(&format!("`{name}` of `{repository}` is forgotten"));
        }
        What::Ls { root } => {
            let all = secrets(&root)?.list().map_err(problem)?;
            if output.is_json() {
                output.json(&json!({"secrets": all}));
            } else {
                let branches =
                    |secret: &ci::Secret| if secret.branches.is_empty() { "all branches".to_owned() } else { secret.branches.join(" ") };
                all.iter().for_each(|secret| output.data(&format!("{:<24} {:<24} {}", secret.repository, secret.name, branches(secret))));
            }
        }
    }
    Ok(())
}

/// From a terminal one line that is not shown, else all of it without the line's end.
fn value() -> Result<String, Problem> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    let read = if stdin.is_terminal() {
        without_echo(|| stdin.lock().take(MOST).read_line(&mut text))
    } else {
        stdin.lock().take(MOST).read_to_string(&mut text)
    };
    read.map_err(|error| Problem::new(ProblemKind::Usage, format!("the value cannot be read from standard input: {error}")))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn problem(error: ci::SecretError) -> Problem {
    match error {
        ci::SecretError::Name(_) => Problem::new(ProblemKind::Usage, error.to_string()),
        error => host(&error),
    }
}
