//! `wharf exec`: runs a command in a workload's container.

use super::{Command, arguments};
use crate::context::Context;
use crate::session;
use crate::target::Target;
use crate::workloads::pods;
use base::{Problem, ProblemKind};
use clap::Args;
use cluster::Exec as What;
use k8s::{Fields, Value};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "exec", about: "Runs a command in a workload's container", define: Exec::augment_args, run };

#[derive(Debug, Args)]
struct Exec {
    /// Such as app-a, deployment/app-a or pod/NAME; of several pods the first that is ready
    workload: String,
    /// Hands standard input to the command
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Gives the command a terminal
    #[arg(short = 't', long)]
    tty: bool,
    /// In this container
    #[arg(short, long)]
    container: Option<String>,
    /// The command, after --
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Exec = arguments(matches)?;
    context.tokio()?.block_on(async {
        let target = Target::existing(context).await?;
        let what = What { container: asked.container.unwrap_or_default(), command: asked.command, stdin: asked.stdin, tty: asked.tty };
        in_workload(&target, &asked.workload, what).await
    })
}

/// Runs a command in the first ready pod of a workload; its own exit code is the answer.
///
/// # Errors
/// When no pod is ready, or the server refuses.
pub async fn in_workload(target: &Target, workload: &str, what: What) -> Result<ExitCode, Problem> {
    let pods = pods(&target.cluster, &target.namespace, workload).await?;
    let ready = |pod: &&Value| pod.condition("Ready").is_some_and(|ready| ready.text("status") == "True") && !pod.is_terminating();
    let pod = pods.iter().find(ready).or_else(|| pods.iter().find(|pod| pod.text("status.phase") == "Running"));
    let pod =
        pod.ok_or_else(|| Problem::new(ProblemKind::Target, format!("no pod of `{workload}` runs")).hint("`wharf status` says why"))?;
    session::exec(&target.cluster, &target.namespace, pod.name(), what).await
}
