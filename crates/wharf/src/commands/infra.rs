//! `wharf infra`: cloud resources from templates kept with the project - checked, planned, made, changed, removed.

mod apply;
mod credentials;
mod declared;
mod destroy;
mod listen;
mod output;
mod plan;
mod token;
mod validate;

use super::{Command, arguments};
use crate::context::Context;
use base::{Problem, ProblemKind};
use clap::{Args, Subcommand};
use declared::Place;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command {
    name: "infra",
    about: "Makes, changes and removes the project's cloud resources, from a template kept with it",
    define: Arguments::augment_args,
    run,
};

#[derive(Debug, Args)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Checks templates and their parameters, here and by the cloud
    Validate {
        #[command(flatten)]
        only: Only,
        /// Asks no cloud
        #[arg(long)]
        offline: bool,
    },
    /// Shows what would change, and what was changed beside the template
    Plan {
        #[command(flatten)]
        only: Only,
        /// Saves the plan; `wharf infra apply FILE` carries out just that
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Does not ask what was changed beside the template
        #[arg(long)]
        no_drift: bool,
        /// Also takes a stack over that its tags say is another's: of another project, entry or environment, or made by hand
        #[arg(long)]
        take_over: bool,
    },
    /// Carries out a saved plan, or makes one, shows it and asks; goes on with what a run before left
    Apply {
        /// A plan that `wharf infra plan --out` saved
        plan: Option<PathBuf>,
        #[command(flatten)]
        only: Only,
        /// A resource that going back from a failed update leaves as it is; may be repeated
        #[arg(long, value_name = "RESOURCE")]
        skip: Vec<String>,
        /// Also takes a stack over that its tags say is another's: of another project, entry or environment, or made by hand
        #[arg(long)]
        take_over: bool,
    },
    /// Removes everything and proves it
    Destroy {
        #[command(flatten)]
        only: Only,
        /// A resource that is let go of where it cannot be removed; may be repeated
        #[arg(long, value_name = "RESOURCE")]
        retain: Vec<String>,
        /// Also removes a stack that its tags say is another's: of another project, entry or environment, or made by hand
        #[arg(long)]
        take_over: bool,
    },
    /// Prints what the resources hand out, or a kubeconfig for their cluster
    Output {
        /// One value of it
        name: Option<String>,
        #[command(flatten)]
        only: Only,
        /// Prints a kubeconfig for the cluster
        #[arg(long, conflicts_with = "name")]
        kubeconfig: bool,
        /// Adds it to your own kubeconfig instead; the current context stays as it is
        #[arg(long, requires = "kubeconfig")]
        merge: bool,
    },
    /// Takes in resources that stand already: each the template's name and what identifies it
    Import {
        /// Such as `Bucket:BucketName=my-bucket`
        #[arg(required = true, value_name = "RESOURCE:KEY=VALUE[,KEY=VALUE]")]
        resources: Vec<String>,
        #[command(flatten)]
        only: Only,
    },
    /// Prints a token for a cluster; kubeconfigs written by `wharf infra` call it
    #[command(hide = true)]
    Token(token::Token),
}

/// Which of the project's entries are meant.
#[derive(Debug, Args)]
struct Only {
    /// An entry of `infra`; may be repeated [default: all that are for the environment]
    #[arg(long = "only", value_name = "NAME")]
    names: Vec<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    if let What::Token(token) = &asked.what {
        return token::run(context, token);
    }
    crate::interrupt::listen(&context.output);
    let place = Place::new(context)?;
    let done = match &asked.what {
        What::Validate { only, offline } => validate::run(&place, &only.names, *offline),
        What::Plan { only, out, no_drift, take_over } => {
            plan::run(&place, &only.names, &plan::How { out: out.as_deref(), no_drift: *no_drift, take_over: *take_over })
        }
        What::Apply { plan: Some(file), only, .. } if !only.names.is_empty() => {
            Err(crate::cli::usage(format!("`{}` says itself what it is a plan of; leave out `--only`", file.display())))
        }
        What::Apply { plan: Some(file), take_over: true, .. } => {
            Err(crate::cli::usage(format!("`{}` says itself what it takes over; pass `--take-over` to `infra plan`", file.display())))
        }
        What::Apply { plan: Some(file), .. } => apply::saved(&place, file),
        What::Apply { plan: None, only, skip, take_over } => apply::run(&place, &only.names, skip, *take_over),
        What::Destroy { only, retain, take_over } => destroy::run(&place, &only.names, retain, *take_over),
        What::Output { name, only, kubeconfig, merge } => match (kubeconfig, merge) {
            (true, true) => output::merge(&place, &only.names),
            (true, false) => output::kubeconfig(&place, &only.names),
            (false, _) => output::run(&place, &only.names, name.as_deref()),
        },
        What::Import { resources, only } => apply::import(&place, &only.names, resources),
        What::Token(_) => Ok(ExitCode::SUCCESS),
    };
    done.map_err(|problem| place.masked(problem))
}

/// Whether somebody can be asked, or said yes to everything.
///
/// # Errors
/// When neither: then nothing may begin that would have to ask.
fn can_ask(context: &Context, instead: &str) -> Result<(), Problem> {
    if context.globals.yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(crate::cli::usage("standard input is no terminal, so nobody can be asked").hint(instead))
}

/// Asks; `wanted` is what must be typed.
fn consent(context: &Context, question: &str, wanted: &[&str]) -> Result<bool, Problem> {
    if context.globals.yes {
        return Ok(true);
    }
    context.output.say(question);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    Ok(wanted.contains(&line.trim()))
}
