//! `wharf ci`: a pipeline of one's own, from a push to what serves.

mod export;
mod repository;
mod runner;
mod secret;
mod serve;
mod source;
mod token;

use super::{Command, arguments};
use crate::context::Context;
use base::{Problem, ProblemKind};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "ci", about: "Runs the project's stages for every push, and shows them", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serves a git remote, web hooks and the stage view, and gives runs to runners, until it is told to stop
    Serve(Box<serve::Serve>),
    /// Takes runs from a server and does them here, until it is told to stop
    Runner(runner::Runner),
    /// Who may push, look and run
    Token(token::Token),
    /// Repositories of the server; the first push to one makes it, too
    Repository(repository::Repository),
    /// Variables of runs that are to be seen nowhere
    Secret(secret::Secret),
    /// Writes a pipeline of the same stages for Jenkins, GitLab or GitHub
    Export(export::Export),
}

/// Where the server keeps everything.
#[derive(Clone, Debug, Args)]
struct Root {
    /// Where the server keeps everything [default: `ci` in Wharf's home]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

impl Root {
    fn of(&self, context: &Context) -> PathBuf {
        self.root.clone().unwrap_or_else(|| context.home.join("ci"))
    }

    /// The same, there.
    fn made(&self, context: &Context) -> Result<PathBuf, Problem> {
        let root = self.of(context);
        base::files::make_folder(&root, 0o700).map_err(|error| host(&error))?;
        Ok(root)
    }
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Arguments { what } = arguments(matches)?;
    match what {
        What::Serve(asked) => serve::run(context, *asked),
        What::Runner(asked) => runner::run(context, asked),
        What::Token(asked) => token::run(context, asked),
        What::Repository(asked) => repository::run(context, asked),
        What::Secret(asked) => secret::run(context, asked),
        What::Export(asked) => export::run(context, &asked),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// The problem of what this machine could not do.
fn host(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string())
}

/// How git is started: it sees the way to programs, servers and proxies, the user's keys, and nothing else of the user.
fn git() -> ci::Git {
    let kept = crate::outside::GIT_SEES.iter().chain(&["SSH_AUTH_SOCK"]);
    ci::Git { environment: kept.filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect() }
}

/// A secret in a file; white space around it does not count.
fn secret_file(path: &std::path::Path) -> Result<String, Problem> {
    let usage = |why: String| Problem::new(ProblemKind::Usage, why);
    let content = base::files::read_up_to(path, 64 << 10).map_err(|error| usage(error.to_string()))?;
    let text = String::from_utf8(content).map_err(|_| usage(format!("{} is no UTF-8 text", path.display())))?;
    let text = text.trim();
    if text.is_empty() { Err(usage(format!("{} is empty", path.display()))) } else { Ok(text.to_owned()) }
}
