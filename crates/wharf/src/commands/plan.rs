//! `wharf plan`: what a deploy would change, to be read, saved and signed. Nothing is pushed or changed.

use super::status::as_json;
use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint, Stages, Verdict, printable};
use crate::stages::{Run, Selection, delivery, made_from, release};
use ::delivery::health::{Health, Standing};
use ::delivery::inventory::Inventory;
use ::delivery::saved::{Origin, PlanFile, SavedPlan};
use ::delivery::{Change, FieldChange, Plan};
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
    run.go(&Selection::planning(asked.out.is_some()).stages()?)?;
    let mut stages = Stages::new(context.output.clone(), 7);
    let running = stages.begin("plan");
    let release = release(&run)?;
    let delivery = delivery(&run, &running)?;
    let (environment, notes) = (context.globals.env.clone(), made_from(&run));
    let origin = Origin { environment, images: run.planned_images(), source: run.source(), notes };
    let file = run.tokio.block_on(delivery.save_plan(&release, origin, lasts))?;
    let health = serving(&run, &delivery, &file)?;
    let verdict = match &health {
        Some(health) if !health.is_well() => Verdict::Warned,
        _ if file.plan.plan.is_empty() => Verdict::Unchanged,
        _ => Verdict::Done,
    };
    running.end(verdict, &summary(&file.plan.plan));
    if context.output.is_json() {
        let ill: Vec<_> = health.iter().flat_map(|health| health.standings.iter().filter(|standing| !standing.well)).map(as_json).collect();
        context.output.json(&json!({"plan": file.plan.plan, "digest": file.digest, "expires": file.plan.expires,
            "images": file.plan.origin.images, "healthy": health.as_ref().map(Health::is_well), "unhealthy": ill}));
    } else {
        show(&context.output, &file);
        if let Some(health) = &health {
            show_health(&context.output, &file, health);
        }
    }
    if let Some(path) = &asked.out {
        crate::report::make_folder(path)?;
        let written = base::files::write_atomically(path, &file.to_bytes()?, 0o600);
        written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
        context.output.say(&format!("saved as {}, {}", path.display(), file.digest));
        let needed = !run.project.environment(context)?.approvers.is_empty();
        let next = if needed { "wharf approve" } else { "wharf deploy" };
        context.output.say(&format!("next: {next} {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// How what serves now stands; nothing where nothing was deployed. It changes by itself, so it is no part of the plan.
fn serving(run: &Run, delivery: &::delivery::Delivery, file: &PlanFile) -> Result<Option<Health>, Problem> {
    let inventory = run.tokio.block_on(Inventory::load(&delivery.cluster, &file.plan.namespace, &file.plan.project))?;
    if inventory.entries.is_empty() {
        return Ok(None);
    }
    match run.tokio.block_on(delivery.health_of(&file.plan.namespace, &inventory)) {
        // Who may plan may not have to see everything.
        Err(problem) if problem.kind == ProblemKind::Target => {
            run.context.output.warning(&format!("whether what serves is healthy cannot be told: {}", problem.message));
            Ok(None)
        }
        health => health.map(Some),
    }
}

fn show_health(output: &Output, file: &PlanFile, health: &Health) {
    const SHOWN: usize = 5;
    if health.is_well() {
        return;
    }
    let release = file.plan.current.as_deref().map_or_else(|| "what is there".to_owned(), |release| format!("release {release}"));
    let next = if file.plan.plan.is_empty() { ", and this plan changes nothing of it" } else { "" };
    output.data(&format!("{} {release} is not healthy now{next}", output.paint(Paint::Red, "!")));
    let roots: Vec<&Standing> = health.roots().collect();
    for standing in roots.iter().take(SHOWN) {
        output.data(&format!("    {}: {}", standing.object(), printable(standing.why())));
    }
    if roots.len() > SHOWN {
        output.data(&format!("    and {} more; `wharf status` lists them", roots.len() - SHOWN));
    }
}

fn summary(plan: &Plan) -> String {
    let count = |change: Change| plan.objects.iter().filter(|object| object.change == change).count();
    let (created, changed, pruned, unchanged) =
        (count(Change::Created), count(Change::Changed), count(Change::Pruned), count(Change::Unchanged));
    format!("{created} to create, {changed} to change, {pruned} to remove, {unchanged} unchanged")
}

/// Whether a field only says whose an object is, as the plan's first line does.
fn is_own_label(field: &FieldChange, plan: &SavedPlan) -> bool {
    let own =
        [("app.kubernetes.io/managed-by", "wharf"), ("wharf.local/project", &*plan.project), ("wharf.local/release", &*plan.plan.release)];
    let label = field.path.rsplit_once("metadata.labels.").map(|(_, label)| label);
    own.iter().any(|(name, value)| label == Some(name) && field.after.as_ref().and_then(|after| after.as_str()) == Some(value))
}

/// A plan as a person reads it.
pub fn show(output: &Output, file: &PlanFile) {
    let plan = &file.plan;
    let now = plan.current.as_ref().map_or_else(|| "nothing serves now".to_owned(), |current| format!("{current} serves now"));
    let data = |text: String| output.data(&printable(&text));
    data(format!("release {} of {} ({}) to {}; {now}", plan.plan.release, plan.project, plan.origin.source, plan.server));
    for (name, image) in &plan.origin.images {
        data(format!("    image {name}  {}", image.reference));
    }
    for object in plan.plan.objects.iter().filter(|object| object.change != Change::Unchanged) {
        let (mark, paint) = match object.change {
            Change::Created => ("+", Paint::Green),
            Change::Pruned => ("-", Paint::Red),
            Change::Changed | Change::Unchanged => ("~", Paint::Yellow),
        };
        let fields: Vec<&FieldChange> = object.fields.iter().filter(|field| !is_own_label(field, plan)).collect();
        let rest = if fields.is_empty() && object.change == Change::Changed {
            output.paint(Paint::Dim, "  the label of its release")
        } else {
            String::new()
        };
        output.data(&format!("{} {}{rest}", output.paint(paint, mark), printable(&object.object)));
        for field in fields {
            // Of what is new all is new.
            let told = match (&field.after, object.change) {
                (Some(value), Change::Created) => format!("{}: {value}", field.path),
                _ => field.to_string(),
            };
            output.data(&format!("    {}", printable(&told)));
        }
    }
    for (object, why) in &plan.plan.kept {
        data(format!("  {object} stays: {why}"));
    }
    for note in &plan.plan.notes {
        let paint = if note.severity <= Severity::Warning { Paint::Yellow } else { Paint::Dim };
        output.data(&format!("  {} {}", output.paint(paint, &format!("{}:", note.severity)), printable(&note.message)));
    }
    output.data(&summary(&plan.plan));
}
