//! `wharf status`: what of the project runs, and why not.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Output, Paint};
use crate::project::Project;
use crate::target::Target;
use crate::urls;
use crate::workloads::problem;
use ::delivery::inventory::Inventory;
use ::delivery::status::{State, is_well, verdict};
use base::{Clock, Problem, ProblemKind, SystemClock};
use clap::Args;
use cluster::Selection;
use k8s::kinds::{DEPLOYMENT, PERSISTENT_VOLUME_CLAIM, POD, SERVICE};
use k8s::{Fields, Kind, Value};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
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

const SHOWN: [&Kind; 4] = [DEPLOYMENT, POD, SERVICE, PERSISTENT_VOLUME_CLAIM];

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Status = arguments(matches)?;
    let patience = asked.wait.as_deref().map(base::units::parse_duration).transpose().map_err(crate::cli::usage)?;
    let project = Project::load(context, asked.folder.as_deref())?;
    context.tokio()?.block_on(async {
        let target = Target::of(context, &project).await?;
        let deadline = Instant::now() + patience.unwrap_or_default();
        let objects = loop {
            let objects = objects(&target).await?;
            if all_current(&objects) || Instant::now() >= deadline {
                break objects;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        show(context, &project, &target, &objects).await
    })
}

async fn objects(target: &Target) -> Result<Vec<Value>, Problem> {
    let mut all = Vec::new();
    for kind in SHOWN {
        let mut found = target.cluster.list(&kind.into(), &Selection::namespace(&target.namespace)).await.map_err(problem)?.items;
        for object in &mut found {
            object.set("kind", kind.kind);
            object.set("apiVersion", kind.api_version());
        }
        all.extend(found);
    }
    Ok(all)
}

fn all_current(objects: &[Value]) -> bool {
    !objects.is_empty() && objects.iter().all(|object| is_well(object, SystemClock.now()))
}

async fn show(context: &Context, project: &Project, target: &Target, objects: &[Value]) -> Result<ExitCode, Problem> {
    let output = &context.output;
    let inventory = Inventory::load(&target.cluster, &target.namespace, project.name()).await?;
    let urls = urls::of(&target.cluster, &target.namespace, &target.host).await?;
    let verdicts: Vec<_> = objects.iter().map(|object| (object, verdict(object, SystemClock.now()))).collect();
    let healthy = all_current(objects);
    if output.is_json() {
        let listed: Vec<_> = verdicts
            .iter()
            .map(|(object, verdict)| json!({"kind": object.text("kind"), "name": object.name(), "state": format!("{:?}", verdict.state), "message": verdict.message}))
            .collect();
        let urls: Vec<_> = urls.iter().map(|url| json!({"service": url.service, "url": url.url, "pending": url.pending})).collect();
        output.json(&json!({"project": project.name(), "release": inventory.current, "phase": inventory.phase, "cause": inventory.cause, "healthy": healthy, "objects": listed, "urls": urls}));
    } else {
        head(output, project.name(), &inventory);
        for (object, verdict) in &verdicts {
            let paint = match verdict.state {
                State::Current => Paint::Green,
                State::Failed => Paint::Red,
                _ => Paint::Yellow,
            };
            let state = output.paint(paint, &format!("{:<12}", format!("{:?}", verdict.state)));
            output.data(format!("{:<22} {:<32} {state} {}", object.text("kind"), object.name(), verdict.message).trim_end());
        }
        urls.iter().for_each(|url| output.data(&format!("{:<22} {:<32} {}{}", "", url.service, url.url, url.remark())));
    }
    Ok(ExitCode::from(if healthy { 0 } else { ProblemKind::Target.exit_code() }))
}

fn head(output: &Output, project: &str, inventory: &Inventory) {
    match (&inventory.current, &inventory.cause) {
        (Some(release), None) => output.data(&format!("project {project}, release {release}")),
        (Some(release), Some(cause)) => output.data(&format!("project {project}, release {release}; the last one failed: {cause}")),
        (None, Some(cause)) => output.data(&format!("project {project}: its only release failed: {cause}")),
        (None, None) => output.data(&format!("project {project}: nothing is deployed")),
    }
}
