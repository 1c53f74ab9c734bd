//! `wharf status`: what of the project runs, and why not.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint, printable};
use crate::project::Project;
use crate::target::Target;
use crate::urls;
use ::delivery::Delivery;
use ::delivery::health::{Health, Standing};
use ::delivery::inventory::{Inventory, Phase};
use ::delivery::status::State;
use base::{Problem, ProblemKind};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module.
pub const COMMAND: Command =
    Command { name: "status", about: "Says what of the project runs, and why not", define: Status::augment_args, run };

#[derive(Debug, Args)]
struct Status {
    /// The project's folder
    folder: Option<PathBuf>,
    /// Waits until everything serves, at most this long
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "2m")]
    wait: Option<String>,
}

/// Kinds whose objects are worth a line when nothing is wrong with them.
const SHOWN: [&str; 9] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "Service", "PersistentVolumeClaim", "Ingress"];

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Status = arguments(matches)?;
    let patience = asked.wait.as_deref().map(base::units::parse_duration).transpose().map_err(crate::cli::usage)?;
    let project = Project::load(context, asked.folder.as_deref())?;
    context.tokio()?.block_on(async {
        let target = Target::of(context, &project).await?;
        let delivery = Delivery::new(target.cluster.clone(), Arc::new(|_| {}));
        let deadline = Instant::now() + patience.unwrap_or_default();
        let (inventory, health) = loop {
            let inventory = Inventory::load(&target.cluster, &target.namespace, project.name()).await?;
            let health = delivery.health_of(&target.namespace, &inventory).await?;
            if health.is_well() || Instant::now() >= deadline {
                break (inventory, health);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        show(context, &project, &target, &inventory, &health).await
    })
}

async fn show(context: &Context, project: &Project, target: &Target, inventory: &Inventory, health: &Health) -> Result<ExitCode, Problem> {
    let output = &context.output;
    let urls = urls::of(&target.cluster, &target.namespace, &target.host).await?;
    let healthy = health.is_well();
    if output.is_json() {
        let listed: Vec<Value> = health.standings.iter().map(as_json).collect();
        let urls: Vec<Value> = urls.iter().map(|url| json!({"service": url.service, "url": url.url, "pending": url.pending})).collect();
        output.json(&json!({"project": project.name(), "release": inventory.current, "phase": inventory.phase, "cause": inventory.cause, "healthy": healthy, "objects": listed, "urls": urls}));
    } else {
        head(output, project.name(), inventory);
        let shown = |standing: &&Standing| !standing.well || output.is_verbose() || SHOWN.contains(&standing.kind.as_str());
        health.standings.iter().filter(shown).for_each(|standing| line(output, standing, &target.namespace));
        urls.iter().for_each(|url| output.data(&printable(&format!("{:<22} {:<32} {}{}", "", url.service, url.url, url.remark()))));
    }
    Ok(ExitCode::from(if healthy { 0 } else { ProblemKind::Target.exit_code() }))
}

/// An object as the JSON of `status` and `plan` has it.
pub(super) fn as_json(standing: &Standing) -> Value {
    json!({"kind": standing.kind, "namespace": standing.namespace, "name": standing.name, "state": format!("{:?}", standing.state),
        "message": standing.message, "cause": standing.cause, "well": standing.well})
}

fn line(output: &Output, standing: &Standing, namespace: &str) {
    let paint = match standing.state {
        State::Current => Paint::Green,
        State::Failed | State::NotFound if !standing.well => Paint::Red,
        _ if standing.well => Paint::Dim,
        _ => Paint::Yellow,
    };
    let elsewhere = !standing.namespace.is_empty() && standing.namespace != namespace;
    let name = if elsewhere { format!("{}/{}", standing.namespace, standing.name) } else { standing.name.clone() };
    let (kind, name) = (printable(&standing.kind), printable(&name));
    let state = output.paint(paint, &format!("{:<12}", format!("{:?}", standing.state)));
    output.data(format!("{kind:<22} {name:<32} {state} {}", printable(&standing.message)).trim_end());
    if let Some(cause) = &standing.cause {
        output.data(&format!("{:<22}   because {}", "", printable(cause)));
    }
}

fn head(output: &Output, project: &str, inventory: &Inventory) {
    // Releases and causes are what whoever can write to the cluster says they are.
    let data = |text: &str| output.data(&printable(text));
    if let (Phase::Deploying | Phase::RollingBack, Some(target)) = (inventory.phase, &inventory.target) {
        let message = format!("the deploy of release {target} has not ended; `wharf up` completes it where nobody is at it");
        output.data(&output.paint(Paint::Yellow, &printable(&format!("project {project}: {message}"))));
    }
    match (&inventory.current, &inventory.cause) {
        (Some(release), None) => data(&format!("project {project}, release {release}")),
        (Some(release), Some(cause)) => data(&format!("project {project}, release {release}; the last one failed: {cause}")),
        (None, Some(cause)) => data(&format!("project {project}: its only release failed: {cause}")),
        (None, None) => data(&format!("project {project}: nothing is deployed")),
    }
}
