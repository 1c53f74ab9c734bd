//! `wharf sbom`: what is in an image, a folder, an archive, or another's list.

mod table;

use super::{Command, arguments};
use crate::context::Context;
use base::{Problem, ProblemKind};
use clap::{Args, ValueEnum};
use scanner::Inventory;
use scanner::sbom::{Options, cyclonedx, spdx};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command {
    name: "sbom",
    about: "Lists the packages of an image, a folder, an archive or another list",
    define: Arguments::augment_args,
    run,
};

#[derive(Debug, Args)]
struct Arguments {
    /// An image's name or id, or the path of a folder, an archive of an image, a lock file, a program, or a CycloneDX or SPDX document
    target: String,
    /// How to write it [default: table on a terminal, else cyclonedx; json with --json]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to; standard output when it is left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
    /// Wharf's own
    Json,
}

/// So many things that could not be read are said; all of them stand in Wharf's own format.
const MOST_SAID: usize = 20;

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let inventory = crate::scan::inventory_of(context, &asked.target)?;
    let output = &context.output;
    inventory.unread.iter().take(MOST_SAID).for_each(|finding| output.finding(finding));
    if let Some(more) = inventory.unread.len().checked_sub(MOST_SAID).filter(|more| *more > 0) {
        output.warning(&format!("{more} more things could not be read; `--format json` lists all under `unread`"));
    }
    let format = asked.format.unwrap_or(match &asked.output {
        _ if output.is_json() => Format::Json,
        None if std::io::stdout().is_terminal() => Format::Table,
        _ => Format::Cyclonedx,
    });
    let text = written(&inventory, format, !output.is_json())?;
    match &asked.output {
        None => output.data(&text),
        Some(path) => {
            let failed = |error| Problem::new(ProblemKind::Host, format!("cannot write `{}`: {error}", path.display()));
            std::fs::write(path, text + "\n").map_err(failed)?;
        }
    }
    let to = asked.output.map(|path| format!(", written to {}", path.display())).unwrap_or_default();
    output.say(&format!("{}{to}", table::summary(&inventory)));
    Ok(ExitCode::SUCCESS)
}

fn written(inventory: &Inventory, format: Format, pretty: bool) -> Result<String, Problem> {
    let options = Options { tool_version: env!("CARGO_PKG_VERSION"), created: None };
    let document = match format {
        Format::Table => return Ok(table::write(inventory)),
        Format::Cyclonedx => cyclonedx::write(inventory, options),
        Format::Spdx => spdx::write(inventory, options),
        Format::Json => serde_json::to_value(inventory)
            .map_err(|error| Problem::new(ProblemKind::Defect, format!("an inventory has no JSON form: {error}")))?,
    };
    Ok(if pretty { format!("{document:#}") } else { document.to_string() })
}
