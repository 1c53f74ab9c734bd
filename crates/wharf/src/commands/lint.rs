//! `wharf lint`: Dockerfiles below the paths, in hadolint's codes and shapes.

use super::{Command, arguments};
use crate::cli::usage;
use crate::context::Context;
use crate::lint::{Source, lint, sources, summary};
use base::{Finding, Problem, ProblemKind, Severity};
use clap::Args;
use linter::Options;
use linter::formats::{FORMATS, Report};
use std::path::PathBuf;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "lint", about: "Lints Dockerfiles", define: Lint::augment_args, run };

#[derive(Debug, Args)]
struct Lint {
    /// Dockerfiles, or folders to search; `-` reads standard input [default: the project's folder]
    paths: Vec<PathBuf>,
    /// The shape of the output
    #[arg(short, long, default_value = "tty", value_parser = clap::builder::PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    format: String,
    /// Mends what a machine can mend
    #[arg(long)]
    fix: bool,
    /// Fails on findings of at least this weight
    #[arg(long, default_value = "info", value_name = "SEVERITY")]
    threshold: String,
    /// Does not report this rule; may be repeated
    #[arg(long, value_name = "RULE")]
    ignore: Vec<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let mut asked: Lint = arguments(matches)?;
    let threshold = Severity::parse(&asked.threshold)
        .ok_or_else(|| usage(format!("`{}` is no severity; use error, warning, info or style", asked.threshold)))?;
    if asked.paths.is_empty() {
        asked.paths.push(PathBuf::from("."));
        if context.globals.project.is_some() {
            asked.paths = vec![context.project_folder(None)?];
        }
    }
    let mut files = sources(&asked.paths)?;
    if files.is_empty() {
        let named: Vec<String> = asked.paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(usage(format!("no Dockerfile below {}", named.join(", "))).hint("name the file itself"));
    }
    let options = Options { ignored: asked.ignore.iter().map(|code| code.to_uppercase()).collect(), ..Options::default() };
    if asked.fix {
        fix(context, &mut files, &options)?;
    }
    let findings = lint(&files, &options);
    show(context, &asked.format, &findings, &files);
    let fails = findings.iter().any(|finding| linter::reaches(finding, threshold));
    Ok(ExitCode::from(if fails { ProblemKind::Work.exit_code() } else { 0 }))
}

fn fix(context: &Context, files: &mut [Source], options: &Options) -> Result<(), Problem> {
    for file in files {
        let (text, fixed) = linter::fix(&file.name, &file.text, options);
        if fixed.is_empty() {
            continue;
        }
        match &file.path {
            Some(path) => base::files::write_atomically(path, text.as_bytes(), 0o644)
                .map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?,
            None => context.output.raw(text.as_bytes()),
        }
        context.output.say(&format!("{}: mended {} findings", file.name, fixed.len()));
        file.text = text;
    }
    Ok(())
}

fn show(context: &Context, format: &str, findings: &[Finding], files: &[Source]) {
    let output = &context.output;
    let named = if output.is_json() { "json" } else { format };
    let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let report = Report { findings, files: &names, colored: output.is_colored(), version: env!("CARGO_PKG_VERSION") };
    if let Some(format) = linter::formats::format(named) {
        output.raw((format.render)(&report).as_bytes());
    }
    if named == "tty" {
        output.say(&summary(findings, files.len()));
    }
}
