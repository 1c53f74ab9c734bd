//! `wharf history`: the releases of the project, newest first.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint, printable};
use crate::project::Project;
use crate::target::Target;
use ::delivery::inventory::Inventory;
use ::delivery::{Delivery, Fate, Record};
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

/// One release; what the record says was written by whoever could write to the cluster.
fn line(output: &Output, record: &Record, serves: bool) -> String {
    let (word, paint) = match (record.fate, serves) {
        (Fate::Failed, _) => ("failed", Paint::Red),
        (_, true) => ("serves", Paint::Green),
        (Fate::Deploying, _) => ("deploying", Paint::Yellow),
        (Fate::Deployed, false) => ("deployed", Paint::Dim),
    };
    let cause = record.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    let word = output.paint(paint, &format!("{word:<9}"));
    let (id, created, source) = (printable(&record.id), printable(&record.created), printable(record.notes.text("source")));
    format!("{id}  {created}  {word}  {source:<24} {}", printable(&cause))
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
        output.data(line(output, record, serves).trim_end());
    }
    if records.is_empty() && !output.is_json() {
        output.say("no release was deployed yet");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        globals: crate::context::Globals,
    }

    #[test]
    fn what_a_cluster_says_moves_no_cursor() {
        let globals = Flags::parse_from(["wharf", "--color", "never"]).globals;
        let evil = "a\u{1b}[2J\rserves";
        let record = json!({"id": evil, "project": "p", "namespace": "p", "created": evil, "fate": "failed", "objects": [],
            "cause": {"workload": evil, "message": evil, "evidence": []}, "notes": {"source": evil}});
        let record: Record = serde_json::from_value(record).expect("a record");
        let line = line(&Output::new(&globals), &record, false);
        assert!(line.contains("failed") && !line.chars().any(char::is_control), "{line:?}");
    }
}
