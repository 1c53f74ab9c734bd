//! `wharf logout`: forgets who we are at a registry.

use super::{Command, arguments, login};
use crate::context::Context;
use crate::registries::DockerFile;
use base::Problem;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "logout", about: "Logs out of a registry", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The registry
    #[arg(default_value = "docker.io")]
    registry: String,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let registry = login::host(&asked.registry)?;
    let forgotten = DockerFile::of_user().forget(&registry)?;
    let output = &context.output;
    output.say(&if forgotten { format!("logged out of `{registry}`") } else { format!("nobody was logged in to `{registry}`") });
    if output.is_json() {
        output.json(&json!({"registry": registry, "forgotten": forgotten}));
    }
    Ok(ExitCode::SUCCESS)
}
