//! `wharf init`: writes down what was inferred of a folder.

use super::{Command, arguments};
use crate::cli::usage;
use crate::context::Context;
use crate::settings::{PROJECT_FILE, infer};
use base::{Problem, ProblemKind};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "init", about: "Writes a wharf.yaml with what was inferred of the folder", define: Init::augment_args, run };

#[derive(Debug, Args)]
struct Init {
    /// The folder [default: the current one]
    folder: Option<PathBuf>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Init = arguments(matches)?;
    let folder = context.project_folder(Some(&asked.folder.unwrap_or_else(|| PathBuf::from("."))))?;
    let path = folder.join(PROJECT_FILE);
    if path.exists() {
        return Err(usage(format!("`{}` is there already", path.display())).hint("edit it, or remove it first"));
    }
    let text = infer(&folder).yaml(true);
    base::files::write_atomically(&path, text.as_bytes(), 0o644).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    context.output.say(&format!("wrote `{}`; `wharf up` is the next step", path.display()));
    Ok(ExitCode::SUCCESS)
}
