//! `wharf up`: every stage in its order, until the project serves.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::Paint;
use crate::stages::{Run, Selection};
use crate::urls;
use base::Problem;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command {
    name: "up",
    about: "Lints, tests, builds, deploys and smokes the project: everything, in order",
    define: Up::augment_args,
    run,
};

#[derive(Debug, Args)]
struct Up {
    /// The project's folder
    folder: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Leaves a failed rollout as it is
    #[arg(long)]
    no_rollback: bool,
    /// Writes what the stages found to a file, as JUnit (.xml), SARIF (.sarif) or JSON by its ending; may be repeated
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Which {
    /// Only these stages
    #[arg(long, value_name = "STAGE,..", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these stages
    #[arg(long, value_name = "STAGE,..", value_delimiter = ',')]
    skip: Vec<String>,
    /// From this stage on
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Up = arguments(matches)?;
    asked.report.iter().try_for_each(|path| crate::report::check(path))?;
    crate::report::forget(&asked.report)?;
    if !asked.report.is_empty() {
        context.output.record();
    }
    crate::interrupt::listen(&context.output);
    let reports = asked.report.clone();
    let done = up(context, asked);
    let recorded = context.output.recorded();
    let written = reports.iter().try_for_each(|path| crate::report::write(path, &recorded, done.as_ref().err()));
    show_urls(context, &done.and_then(|run| written.map(|()| run))?)?;
    Ok(ExitCode::SUCCESS)
}

fn up(context: &Context, asked: Up) -> Result<Run, Problem> {
    let mut run = Run::new(context, asked.folder.as_deref())?;
    let also = run.asked_stages()?;
    let stages = Selection { only: asked.which.only, skip: asked.which.skip, from: asked.which.from, also }.stages()?;
    run.no_rollback = asked.no_rollback;
    run.go(&stages)?;
    Ok(run)
}

fn show_urls(context: &Context, run: &Run) -> Result<(), Problem> {
    if let Some(cluster) = &run.cluster {
        let urls = run.tokio.block_on(urls::of(cluster, run.project.name(), &run.host))?;
        for url in urls {
            if context.output.is_json() {
                context.output.json(&json!({"service": url.service, "url": url.url, "pending": url.pending}));
            } else {
                context.output.data(&format!("{:<12} {}{}", url.service, context.output.paint(Paint::Bold, &url.url), url.remark()));
            }
        }
    }
    Ok(())
}
