//! `wharf ci export`: the same stages as a pipeline of Jenkins, GitLab or GitHub.

use crate::context::Context;
use crate::export::{EXPORTERS, Pipeline, Wanted};
use crate::project::Project;
use base::{Problem, ProblemKind};
use ci::ProjectFolder;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its arguments.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Whose pipeline
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(EXPORTERS.iter().map(|exporter| exporter.name)))]
    kind: String,
    /// The file to write; without a name the one where the server looks for it [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<Option<PathBuf>>,
    /// The label or tag of the runners that have `wharf`
    #[arg(long, value_name = "LABEL")]
    runner: Option<String>,
}

/// Writes it.
pub(super) fn run(context: &Context, asked: &Export) -> Result<(), Problem> {
    let project = Project::load(context, None)?;
    let exporter = EXPORTERS.iter().find(|exporter| exporter.name == asked.kind);
    let exporter = exporter.ok_or_else(|| Problem::new(ProblemKind::Usage, format!("there is no pipeline of `{}`", asked.kind)))?;
    let wanted = wanted(context, &project);
    let (top, folder) = place(&project.folder)?;
    let pipeline = Pipeline::of(project.settings(), folder.clone(), wanted, asked.runner.clone())?;
    let text = (exporter.write)(&pipeline);
    let Some(out) = &asked.out else {
        context.output.raw(text.as_bytes());
        return Ok(());
    };
    let (file, told) = if folder.is_root() { (exporter.file.to_owned(), String::new()) } else { (exporter.beside)(&folder) };
    let out = out.clone().unwrap_or_else(|| top.join(file));
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = folder.map_or(Ok(()), |folder| base::files::make_folder(folder, 0o755));
    let written = written.and_then(|()| base::files::write_atomically(&out, text.as_bytes(), 0o644));
    written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    context.output.say(&format!("wrote {}", out.display()));
    if !told.is_empty() {
        context.output.say(&told);
    }
    Ok(())
}

/// What the project says of its runs, else what is usual for the environment.
fn wanted(context: &Context, project: &Project) -> Vec<Wanted> {
    let runs = &project.settings().ci.runs;
    if runs.is_empty() {
        return Wanted::usual(&context.globals.env, &default_branch(&project.folder));
    }
    let one = |run: &crate::settings::CiRun| Wanted {
        branches: run.only.branches.clone(),
        but: None,
        paths: run.only.paths.clone(),
        environment: run.env.clone(),
        stages: run.stages.clone(),
        skip: run.skip.clone(),
        artefacts: run.artefacts.clone(),
    };
    runs.iter().map(one).collect()
}

/// The top of the repository that a folder is in, and the folder's path from there; what is in none is a top itself.
fn place(folder: &Path) -> Result<(PathBuf, ProjectFolder), Problem> {
    let output = Command::new("git").arg("-C").arg(folder).args(["rev-parse", "--show-prefix"]).output();
    let said =
        output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    let prefix = said.unwrap_or_default();
    if prefix.is_empty() {
        return Ok((folder.to_owned(), ProjectFolder::default()));
    }
    let within = ProjectFolder::parse(&prefix).map_err(|error| Problem::new(ProblemKind::Usage, error.to_string()))?;
    let top = folder.ancestors().nth(within.as_str().split('/').count()).unwrap_or(folder);
    Ok((top.to_owned(), within))
}

/// The branch that the remote calls its own, else `main`.
fn default_branch(folder: &Path) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(["symbolic-ref", "--short", "refs/remotes/origin/HEAD"]).output();
    let said = output.ok().filter(|output| output.status.success()).map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.and_then(|name| name.split_once('/').map(|(_, branch)| branch.to_owned())).unwrap_or_else(|| "main".to_owned())
}
