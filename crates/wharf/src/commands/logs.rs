//! `wharf logs`: what a workload's containers say.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::{Paint, printable};
use crate::target::Target;
use crate::workloads::{pods, problem};
use base::{Problem, ProblemKind};
use clap::Args;
use cluster::Logs as Which;
use futures::StreamExt;
use k8s::Fields;
use serde_json::json;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "logs", about: "Prints what a workload's containers say", define: Logs::augment_args, run };

#[derive(Debug, Args)]
struct Logs {
    /// Such as app-a, statefulset/db, cronjob/nightly or pod/NAME
    workload: String,
    /// Goes on as they say more
    #[arg(short, long)]
    follow: bool,
    /// Only so many last lines of each
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// Of the container before its last restart
    #[arg(short, long)]
    previous: bool,
    /// Each line with its time
    #[arg(long)]
    timestamps: bool,
    /// Only lines of the last, such as 5m
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Only of this container
    #[arg(short, long)]
    container: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Logs = arguments(matches)?;
    let since = asked.since.as_deref().map(base::units::parse_duration).transpose().map_err(crate::cli::usage)?;
    context.tokio()?.block_on(async {
        let target = Target::existing(context).await?;
        let pods = pods(&target.cluster, &target.namespace, &asked.workload).await?;
        let mut sources = Vec::new();
        for pod in &pods {
            for container in pod.items("spec.containers") {
                if asked.container.as_deref().is_none_or(|wanted| wanted == container.text("name")) {
                    sources.push((pod.name().to_owned(), container.text("name").to_owned()));
                }
            }
        }
        if sources.is_empty() {
            return Err(Problem::new(ProblemKind::Target, format!("`{}` has no container to read from", asked.workload))
                .hint("`wharf status` says why nothing runs"));
        }
        let several = sources.len() > 1;
        let readers = sources.into_iter().map(|(pod, container)| {
            let which = Which {
                container: container.clone(),
                tail: asked.tail,
                previous: asked.previous,
                timestamps: asked.timestamps,
                since_seconds: since.map(|since| u32::try_from(since.as_secs()).unwrap_or(u32::MAX)),
                limit_bytes: None,
            };
            read(context, &target, pod, container, which, asked.follow, several)
        });
        for result in futures::future::join_all(readers).await {
            result?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn read(
    context: &Context,
    target: &Target,
    pod: String,
    container: String,
    which: Which,
    follow: bool,
    several: bool,
) -> Result<(), Problem> {
    let show = |line: &str| {
        if context.output.is_json() {
            context.output.json(&json!({"pod": pod, "container": container, "line": line}));
        } else if several {
            let name = context.output.paint(Paint::Dim, &format!("{pod}/{container}"));
            context.output.data(&format!("{name} {}", printable(line)));
        } else {
            context.output.data(&printable(line));
        }
    };
    if !follow {
        let text = target.cluster.logs(&target.namespace, &pod, &which).await.map_err(problem)?;
        text.lines().for_each(show);
        return Ok(());
    }
    let mut lines = target.cluster.follow_logs(&target.namespace, &pod, &which).await.map_err(problem)?;
    while let Some(line) = lines.next().await {
        show(&line.map_err(problem)?);
    }
    Ok(())
}
