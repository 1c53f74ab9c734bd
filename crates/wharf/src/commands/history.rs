//! `wharf history`: the releases of the project, newest first.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::Paint;
use crate::project::Project;
use crate::target::Target;
use ::delivery::inventory::Inventory;
use ::delivery::{Delivery, Fate};
use base::Problem;
use clap::Args;
use k8s::Fields;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// See the module.
pub const COMMAND: Command = Command { name: "history", about: "Lists the project's releases", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The project's folder
    folder: Option<PathBuf>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let project = Project::load(context, asked.folder.as_deref())?;
    let (records, inventory) = context.tokio()?.block_on(async {
        let target = Target::of(context, &project).await?;
        let inventory = Inventory::load(&target.cluster, &target.namespace, project.name()).await?;
        let delivery = Delivery::new(target.cluster, Arc::new(|_| {}));
        Ok::<_, Problem>((delivery.history(&target.namespace, project.name()).await?, inventory))
    })?;
    let output = &context.output;
    for record in &records {
        let serves = inventory.current.as_ref() == Some(&record.id);
        if output.is_json() {
            output.json(&json!({"release": record.id, "created": record.created, "fate": record.fate, "serves": serves,
                "cause": record.cause, "previous": record.previous, "notes": record.notes}));
            continue;
        }
        let (word, paint) = match (record.fate, serves) {
            (Fate::Failed, _) => ("failed", Paint::Red),
            (_, true) => ("serves", Paint::Green),
            (Fate::Deploying, _) => ("deploying", Paint::Yellow),
            (Fate::Deployed, false) => ("deployed", Paint::Dim),
        };
        let cause = record.cause.as_ref().map(ToString::to_string).unwrap_or_default();
        let word = output.paint(paint, &format!("{word:<9}"));
        let line = format!("{}  {}  {word}  {:<24} {cause}", record.id, record.created, record.notes.text("source"));
        output.data(line.trim_end());
    }
    if records.is_empty() && !output.is_json() {
        output.say("no release was deployed yet");
    }
    Ok(ExitCode::SUCCESS)
}
