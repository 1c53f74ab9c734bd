//! `wharf settings`: every setting, its value, where it came from.

use super::{Command, arguments};
use crate::context::Context;
use crate::project::Project;
use base::Problem;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "settings", about: "Lists every setting, its value and where it came from", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// Prints the JSON schema of wharf.yaml instead
    #[arg(long)]
    schema: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let output = &context.output;
    if asked.schema {
        output.data(&format!("{:#}", crate::settings::schema()));
        return Ok(ExitCode::SUCCESS);
    }
    let project = Project::load(context, None)?;
    for setting in &project.read.list {
        if output.is_json() {
            output.json(&json!({"path": setting.path, "value": setting.value, "origin": setting.origin.to_string()}));
        } else {
            output.data(&format!("{:<36} {:<40} {}", setting.path, setting.value, setting.origin));
        }
    }
    Ok(ExitCode::SUCCESS)
}
