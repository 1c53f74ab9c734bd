//! `wharf ci token`: who may push, look and run.

use super::{Root, host};
use crate::context::Context;
use base::{Problem, ProblemKind};
use ci::{Role, Tokens};
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes a token and prints it, this once; an old one of the same name is no longer good
    Add {
        /// Whose it is, as runs show who began them
        name: String,
        /// `admin`: push, look, retry, cancel; `push`: push and look; `read`: look and clone; `runner`: take runs
        #[arg(long, value_parser = ["admin", "runner", "push", "read"])]
        role: String,
        #[command(flatten)]
        root: Root,
    },
    /// Takes a token away, at once
    Rm {
        /// Whose
        name: String,
        #[command(flatten)]
        root: Root,
    },
    /// Lists names and roles
    Ls {
        #[command(flatten)]
        root: Root,
    },
}

pub(super) fn run(context: &Context, asked: Token) -> Result<(), Problem> {
    let output = &context.output;
    let tokens = |root: &Root| root.made(context).map(|root| Tokens::new(&root.join("tokens.json")));
    match asked.what {
        What::Add { name, role, root } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
            if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
                return Err(Problem::new(ProblemKind::Usage, format!("`{name}` cannot name a token"))
                    .hint("up to 100 letters, digits, `.`, `_`, `-` and `@`"));
            }
            let role = Role::parse(&role).ok_or_else(|| Problem::new(ProblemKind::Usage, format!("there is no role `{role}`")))?;
            let token = tokens(&root)?.add(&name, role).map_err(|error| host(&error))?;
            if output.is_json() {
                output.json(&json!({"name": name, "role": role, "token": token}));
            } else {
                output.data(&token);
                output.say(&format!("the token of `{name}` ({}); it is kept only as a digest", role.name()));
            }
        }
        What::Rm { name, root } => {
            if !tokens(&root)?.remove(&name).map_err(|error| host(&error))? {
                return Err(Problem::new(ProblemKind::Usage, format!("there is no token `{name}`")).hint("`wharf ci token ls` lists them"));
            }
            output.say(&format!("the token of `{name}` is no longer good"));
        }
        What::Ls { root } => {
            let all = tokens(&root)?.list().map_err(|error| host(&error))?;
            if output.is_json() {
                let all: Vec<_> = all.iter().map(|who| json!({"name": who.name, "role": who.role})).collect();
                output.json(&json!({"tokens": all}));
            } else {
                all.iter().for_each(|who| output.data(&format!("{:<24} {}", who.name, who.role.name())));
            }
        }
    }
    Ok(())
}
