//! `wharf plan`: what a deploy would change, to be read, saved and signed. Nothing is pushed or changed.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint, Stages, Verdict};
use crate::stages::{Run, Selection, delivery, release};
use ::delivery::saved::{Origin, PlanFile};
use ::delivery::{Change, Plan};
use base::{Problem, ProblemKind, Severity};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "plan", about: "Shows what a deploy would change, and saves it to be approved", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The project's folder
    folder: Option<PathBuf>,
    /// Saves the plan; `wharf deploy FILE` applies it and nothing else
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// For how long the saved plan can be applied
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    expires: String,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let lasts = base::units::parse_duration(&asked.expires).map_err(crate::cli::usage)?;
    crate::interrupt::listen(&context.output);
    let mut run = Run::new(context, asked.folder.as_deref())?;
    run.planning = true;
    run.go(&Selection::planning().stages()?)?;
    let mut stages = Stages::new(context.output.clone(), 7);
    let running = stages.begin("plan");
    let release = release(&run)?;
    let delivery = delivery(&run, &running)?;
    let origin = Origin { environment: context.globals.env.clone(), images: run.planned_images(), source: run.project.tag(&run.inputs) };
    let file = run.tokio.block_on(delivery.save_plan(&release, origin, lasts))?;
    running.end(if file.plan.plan.is_empty() { Verdict::Unchanged } else { Verdict::Done }, &summary(&file.plan.plan));
    if context.output.is_json() {
        context
            .output
            .json(&json!({"plan": file.plan.plan, "digest": file.digest, "expires": file.plan.expires, "images": file.plan.origin.images}));
    } else {
        show(&context.output, &file);
    }
    if let Some(path) = &asked.out {
        let written = base::files::write_atomically(path, &file.to_bytes()?, 0o600);
        written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
        context.output.say(&format!("saved as {}, {}", path.display(), file.digest));
        let needed = !run.project.environment(context)?.approvers.is_empty();
        let next = if needed { "wharf approve" } else { "wharf deploy" };
        context.output.say(&format!("next: {next} {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(plan: &Plan) -> String {
    let count = |change: Change| plan.objects.iter().filter(|object| object.change == change).count();
    let (created, changed, pruned, unchanged) =
        (count(Change::Created), count(Change::Changed), count(Change::Pruned), count(Change::Unchanged));
    format!("{created} to create, {changed} to change, {pruned} to remove, {unchanged} unchanged")
}

/// A plan as a person reads it.
pub fn show(output: &Output, file: &PlanFile) {
    let plan = &file.plan;
    let now = plan.current.as_ref().map_or_else(|| "nothing serves now".to_owned(), |current| format!("{current} serves now"));
    output.data(&format!("release {} of {} ({}) to {}; {now}", plan.plan.release, plan.project, plan.origin.source, plan.server));
    for (name, image) in &plan.origin.images {
        output.data(&format!("    image {name}  {}", image.reference));
    }
    for object in plan.plan.objects.iter().filter(|object| object.change != Change::Unchanged) {
        let (mark, paint) = match object.change {
            Change::Created => ("+", Paint::Green),
            Change::Pruned => ("-", Paint::Red),
            Change::Changed | Change::Unchanged => ("~", Paint::Yellow),
        };
        output.data(&format!("{} {}", output.paint(paint, mark), object.object));
        for field in &object.fields {
            output.data(&format!("    {}", crate::output::printable(&field.to_string())));
        }
    }
    for (object, why) in &plan.plan.kept {
        output.data(&format!("  {object} stays: {why}"));
    }
    for note in &plan.plan.notes {
        let paint = if note.severity <= Severity::Warning { Paint::Yellow } else { Paint::Dim };
        output.data(&format!("  {} {}", output.paint(paint, &format!("{}:", note.severity)), note.message));
    }
    output.data(&summary(&plan.plan));
}
