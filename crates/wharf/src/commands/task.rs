//! `wharf task`: a command of the project's own: on the host, in an image, or in a running workload.

use super::{Command, arguments, exec, run};
use crate::context::Context;
use crate::interrupt;
use crate::project::Project;
use crate::settings::CommandLine;
use crate::target::Target;
use base::{Problem, ProblemKind};
use clap::Args;
use cluster::Exec;
use std::process::{ExitCode, Stdio};

/// See the module.
pub const COMMAND: Command = Command { name: "task", about: "Runs a task of the project's own", define: Task::augment_args, run: go };

#[derive(Debug, Args)]
struct Task {
    /// Its name in wharf.yaml; all are listed when it is left out
    name: Option<String>,
}

fn go(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Task = arguments(matches)?;
    let project = Project::load(context, None)?;
    let tasks = &project.settings().tasks;
    let Some(name) = asked.name else {
        for (name, task) in tasks {
            context.output.data(&format!("{name:<16} {}", task.run));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let known: Vec<&str> = tasks.keys().map(String::as_str).collect();
    let none =
        || Problem::new(ProblemKind::Usage, format!("wharf.yaml has no task `{name}`")).hint(format!("there are: {}", known.join(", ")));
    let task = tasks.get(&name).ok_or_else(none)?;
    interrupt::listen(&context.output);
    match (&task.exec, &task.image) {
        (Some(workload), _) => context.tokio()?.block_on(async {
            let target = Target::of(context, &project).await?;
            exec::in_workload(&target, workload, Exec { command: task.run.argv(), ..Exec::default() }).await
        }),
        (None, Some(image)) => {
            run::image(context, &project.image_name(image, &project.tag(&project.inputs()?))?.familiar(), task.run.argv())
        }
        (None, None) => on_host(&project, &task.run),
    }
}

fn on_host(project: &Project, command: &CommandLine) -> Result<ExitCode, Problem> {
    let argv = command.argv();
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Problem::new(ProblemKind::Usage, "the task's command is empty"));
    };
    let mut command = std::process::Command::new(program);
    command.args(arguments).current_dir(&project.folder).stdin(Stdio::inherit());
    let ended = interrupt::spawn(&mut command, interrupt::Kind::Terminal).and_then(|mut ours| ours.child.wait());
    interrupt::give_way();
    let status = ended.map_err(|error| Problem::new(ProblemKind::Work, format!("cannot start `{program}`: {error}")))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
