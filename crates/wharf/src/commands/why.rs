//! `wharf why`: from what runs back to what allowed it: release, commit, findings, plan, approver, results.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, printable};
use crate::project::Project;
use crate::stages::STAGES;
use crate::target::Target;
use crate::workloads;
use ::delivery::inventory::Inventory;
use ::delivery::ledger::{Entry, Event, Ledger};
use ::delivery::manifests::RELEASE;
use ::delivery::{Record, read_home};
use base::{Problem, ProblemKind};
use clap::Args;
use k8s::kinds::{DEPLOYMENT, REPLICA_SET};
use k8s::{Fields, Value};
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "why", about: "Says what allowed a workload or pod to run", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// The workload: NAME, deployment/NAME or pod/NAME
    workload: String,
    /// Asks no cluster: what this machine's own records say
    #[arg(long)]
    offline: bool,
}

/// What is known of a workload.
struct Known {
    release: String,
    images: Vec<String>,
    record: Option<Record>,
    ledger: Ledger,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let project = Project::load(context, None)?;
    let known = if asked.offline {
        offline(context, &project, &asked.workload)?
    } else {
        context.tokio()?.block_on(online(context, &project, &asked.workload))?
    };
    known.ledger.verify()?;
    let entries: Vec<&Entry> = known.ledger.entries().iter().filter(|entry| entry.release == known.release).collect();
    if let Some(record) = &known.record {
        agrees(record, &entries)?;
    }
    if context.output.is_json() {
        let notes = known.record.as_ref().map(|record| &record.notes);
        context.output.json(&json!({"workload": asked.workload, "release": known.release, "images": known.images, "notes": notes,
            "entries": entries, "intact": true}));
    } else {
        show(&context.output, &asked.workload, &known, &entries);
    }
    Ok(ExitCode::SUCCESS)
}

async fn online(context: &Context, project: &Project, workload: &str) -> Result<Known, Problem> {
    let target = Target::of(context, project).await?;
    let pods = workloads::pods(&target.cluster, &target.namespace, workload).await?;
    let deployment = deployment(&target, workload, pods.last()).await?;
    let none = || Problem::new(ProblemKind::Target, format!("`{workload}` was not deployed by Wharf: it is of no release"));
    let release = deployment.label(RELEASE).ok_or_else(none)?.to_owned();
    let inventory = Inventory::load(&target.cluster, &target.namespace, project.name()).await?;
    let record = Record::load(&target.cluster, &target.namespace, project.name(), &release).await?;
    let images = images(pods.last().unwrap_or(&deployment));
    Ok(Known { release, images, record, ledger: inventory.ledger })
}

/// The deployment that a name means, or that a pod is of.
async fn deployment(target: &Target, workload: &str, pod: Option<&Value>) -> Result<Value, Problem> {
    let (cluster, namespace) = (&target.cluster, target.namespace.as_str());
    let lost = || Problem::new(ProblemKind::Target, format!("no deployment stands behind `{workload}`"));
    let name = match workload.split_once('/') {
        Some(("pod" | "pods" | "po", _)) => {
            let owner = pod.and_then(|pod| pod.controller()).map(|owner| owner.text("name").to_owned()).ok_or_else(lost)?;
            let set = cluster.get(&REPLICA_SET.into(), namespace, &owner).await?.ok_or_else(lost)?;
            set.controller().map(|owner| owner.text("name").to_owned()).ok_or_else(lost)?
        }
        Some((_, name)) => name.to_owned(),
        None => workload.to_owned(),
    };
    cluster.get(&DEPLOYMENT.into(), namespace, &name).await?.ok_or_else(lost)
}

fn offline(context: &Context, project: &Project, workload: &str) -> Result<Known, Problem> {
    let none = || {
        Problem::new(ProblemKind::Target, format!("this machine has no record of `{workload}` in the project `{}`", project.name()))
            .hint("ask the cluster: leave `--offline` out")
    };
    let ledger: Ledger = read_home(&context.home, project.name(), "ledger")?.ok_or_else(none)?;
    let serves = |entry: &&Entry| matches!(entry.event, Event::Deployed | Event::PutBack);
    let release = ledger.entries().iter().rev().find(serves).map(|entry| entry.release.clone()).ok_or_else(none)?;
    let record: Record = read_home(&context.home, project.name(), &release)?.ok_or_else(none)?;
    let name = workload.rsplit('/').next().unwrap_or(workload);
    // A pod's name begins with its deployment's.
    let is_meant = |object: &&Value| {
        let own = object.name();
        object.text("kind") == "Deployment" && (own == name || name.strip_prefix(own).is_some_and(|rest| rest.starts_with('-')))
    };
    let images = images(record.objects.iter().filter(is_meant).max_by_key(|object| object.name().len()).ok_or_else(none)?);
    Ok(Known { release, images, record: Some(record), ledger })
}

fn images(object: &Value) -> Vec<String> {
    let pod = object.at("spec.template.spec").or_else(|| object.at("spec"));
    let containers = pod.map(|pod| pod.items("containers")).unwrap_or_default();
    containers.iter().map(|container| container.text("image").to_owned()).collect()
}

/// Whether a record's objects are those that the ledger says were deployed.
fn agrees(record: &Record, entries: &[&Entry]) -> Result<(), Problem> {
    let Some(entry) = entries.iter().rev().find(|entry| !entry.detail.text("objects").is_empty()) else { return Ok(()) };
    if record.release().digest()?.to_string() == entry.detail.text("objects") {
        return Ok(());
    }
    let message =
        format!("the record of release {} is not as it was written: its objects are others than entry {} says", record.id, entry.number);
    Err(Problem::new(ProblemKind::Target, message).hint("somebody changed the record after it was written"))
}

fn show(output: &Output, workload: &str, known: &Known, entries: &[&Entry]) {
    let line = |name: &str, text: &str| output.data(&format!("{name:<12} {}", printable(text)));
    line("workload", workload);
    known.images.iter().for_each(|image| line("image", image));
    line("release", &known.release);
    if let Some(record) = &known.record {
        let notes = &record.notes;
        line("source", notes.text("source"));
        line("deployed by", &format!("{} to {}", notes.text("by"), notes.text("environment")));
        for stage in STAGES {
            if let Some(result) = notes.at("stages").and_then(|stages| stages.member(stage.name)) {
                line(stage.name, &format!("{}: {}", result.text("verdict"), result.text("summary")));
            }
        }
        if let Some(plan) = notes.at("plan") {
            line("plan", plan.text("digest"));
            line(
                "approved by",
                Some(plan.text("approved_by")).filter(|who| !who.is_empty()).unwrap_or("nobody; the environment has no approvers"),
            );
        }
    }
    for entry in entries {
        let (by, cause) = (entry.detail.text("by"), entry.detail.text("cause"));
        let result = entry.detail.text("result.summary");
        let event = serde_json::to_value(entry.event).unwrap_or_default();
        let words = [event.as_str().unwrap_or_default(), by, result, cause];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        line(&format!("#{}", entry.number), &format!("{}  {}", entry.at, words.join(", ")));
    }
    line("record", &format!("intact, {} entries", known.ledger.entries().len()));
}
