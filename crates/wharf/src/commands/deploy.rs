//! `wharf deploy`: what is built and written down, or a saved plan, into the cluster.

use super::{Command, approve, arguments};
use crate::context::Context;
use crate::output::{Stages, Verdict};
use crate::stages::{Run, Selection, apply_plan};
use ::delivery::saved::PlanFile;
use base::{Clock, Problem, ProblemKind, SystemClock};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command {
    name: "deploy",
    about: "Applies the project's manifests, or a saved plan, and waits until they serve",
    define: Deploy::augment_args,
    run,
};

#[derive(Debug, Args)]
struct Deploy {
    /// A saved plan, or the project's folder
    plan: Option<PathBuf>,
    /// Leaves a failed rollout as it is
    #[arg(long)]
    no_rollback: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Deploy = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    if let Some(path) = asked.plan.as_ref().filter(|path| !path.is_dir()) {
        return planned(context, path, asked.no_rollback);
    }
    let mut run = Run::new(context, asked.plan.as_deref())?;
    run.no_rollback = asked.no_rollback;
    run.go(&Selection::of(&["prepare", "build", "deploy"]).stages()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Applies a saved plan, then judges what serves as any release of this environment is judged.
fn planned(context: &Context, path: &Path, no_rollback: bool) -> Result<ExitCode, Problem> {
    let file = approve::read(path)?;
    let mut run = Run::new(context, None)?;
    run.no_rollback = no_rollback;
    fits(&run, &file)?;
    let approver = file.allowed(SystemClock.now(), &run.project.environment(context)?.approvers)?;
    run.plan = Some(json!({"digest": file.digest, "created": file.plan.created, "approved_by": approver, "approvals": file.approvals}));
    run.origin = Some(file.plan.origin.clone());
    run.image_ids = file.plan.origin.images.iter().map(|(name, image)| (name.clone(), image.id.clone())).collect();
    run.images = file.plan.origin.images.iter().map(|(name, image)| (name.clone(), image.reference.clone())).collect();
    run.go(&Selection::connecting().stages()?)?;
    let mut stages = Stages::new(context.output.clone(), 7);
    let checking = stages.begin("plan");
    let fits = crate::stages::delivery(&run, &checking).and_then(|delivery| run.tokio.block_on(delivery.check_plan(&file)));
    checking.end(if fits.is_ok() { Verdict::Done } else { Verdict::Failed }, &file.digest.to_string());
    fits?;
    crate::stages::deliver_images(&run, &mut stages, &file.plan.origin.images)?;
    let running = stages.begin("deploy");
    crate::interrupt::doing("in deploy: the release may be applied in part and nothing was put back; run this again");
    match apply_plan(&mut run, &running, file) {
        Ok(done) => running.end(done.verdict, &done.summary),
        Err(problem) => {
            running.end(Verdict::Failed, "");
            run.let_go();
            return Err(problem);
        }
    }
    let judging = [&["smoke"][..], &run.asked_stages()?].concat();
    run.go(&Selection::of(&judging).stages()?)?;
    Ok(ExitCode::SUCCESS)
}

fn fits(run: &Run, file: &PlanFile) -> Result<(), Problem> {
    let (plan, env) = (&file.plan, &run.context.globals.env);
    if plan.project != run.project.name() {
        let message = format!("the plan is for the project `{}`, and this is `{}`", plan.project, run.project.name());
        return Err(Problem::new(ProblemKind::Usage, message).hint("pass the project's folder with `--project`"));
    }
    if plan.origin.environment != *env {
        let message = format!("the plan is for the environment `{}`, not for `{env}`", plan.origin.environment);
        return Err(Problem::new(ProblemKind::Usage, message).hint(format!("pass `--env {}`", plan.origin.environment)));
    }
    Ok(())
}
