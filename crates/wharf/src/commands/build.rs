//! `wharf build`: one image from a context, or all images of the project.

mod cache;
mod destination;
mod ssh;

use super::{Command, arguments, image};
use crate::cli::usage;
use crate::context::Context;
use crate::output::{Output, Paint, printable};
use crate::outside::World;
use crate::registries;
use crate::sandbox::Sandbox;
use crate::stages::{Run, Selection};
use base::units::show_duration;
use base::{Finding, Place, Problem, ProblemKind, Severity};
use builder::{BuildError, BuildEvent, Built, Difference, Hidden, NamedContext, Request, Secret};
use cache::{Cache, Way};
use clap::Args;
use clap::parser::ValueSource;
use destination::Destination;
use oci::Reference;
use serde_json::json;
use ssh::Agents;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "build", about: "Builds an image from a context, or all images of the project", define: Build::augment_args, run };

const OF_ONE: [&str; 21] = [
    "file",
    "tag",
    "target",
    "build_arg",
    "build_context",
    "secret",
    "ssh",
    "allow",
    "label",
    "pull",
    "platform",
    "verify",
    "no_cache",
    "cache_from",
    "cache_to",
    "output",
    "iidfile",
    "metadata_file",
    "shell",
    "explain",
    "quiet_build",
];

#[derive(Debug, Args)]
struct Build {
    /// The context's folder; all images of the project when it is left out
    context: Option<PathBuf>,
    /// The Dockerfile [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A name for the image; may be repeated
    #[arg(short, long, value_name = "NAME")]
    tag: Vec<String>,
    /// The stage to build
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    /// A build argument; without a value it is taken from the environment
    #[arg(long, value_name = "KEY=VALUE")]
    build_arg: Vec<String>,
    /// What stands for the name of an image or context: a folder, an archive, or an image of the store
    #[arg(long, value_name = "NAME=WHAT")]
    build_context: Vec<String>,
    /// A secret for `RUN --mount=type=secret`: id=NAME,src=FILE or id=NAME,env=VARIABLE
    #[arg(long, value_name = "id=NAME,..")]
    secret: Vec<String>,
    /// An ssh agent for `RUN --mount=type=ssh` and repositories: default, or ID=SOCKET, or ID=KEY,KEY,.. for the keys of files
    #[arg(long, value_name = "ID[=WHAT]")]
    ssh: Vec<String>,
    /// Lets the Dockerfile have what it is refused otherwise: network.host
    #[arg(long, value_name = "WHAT")]
    allow: Vec<String>,
    /// A label of the image
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Asks registries for the images that stages begin with, also for those that are here
    #[arg(long)]
    pull: bool,
    /// The machine that the image is for; only this one's is built
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Builds twice, and names what is not the same
    #[arg(long)]
    verify: bool,
    /// Does every step again
    #[arg(long)]
    no_cache: bool,
    /// What other builds remember: type=registry,ref=NAME or type=local,src=FOLDER; may be repeated
    #[arg(long, value_name = "TYPE")]
    cache_from: Vec<String>,
    /// Where to put what this build remembers: type=registry,ref=NAME or type=local,dest=FOLDER, with mode=max of all stages
    #[arg(long, value_name = "TYPE")]
    cache_to: Vec<String>,
    /// Where the image goes beside the store: type=oci|docker|tar,dest=FILE or type=local,dest=FOLDER; may be repeated
    #[arg(short, long, value_name = "TYPE")]
    output: Vec<String>,
    /// How progress is shown
    #[arg(long, default_value = "auto", value_parser = ["auto", "plain", "tty", "json"])]
    progress: String,
    /// Writes the image's id to a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Writes digests to a file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// Opens a shell in a RUN that failed, with its files, mounts and variables; needs a terminal
    #[arg(long)]
    shell: bool,
    /// Says of every step why it was or was not cached
    #[arg(long)]
    explain: bool,
    /// Prints only the image's id
    #[arg(short, long = "quiet-build", hide = true)]
    quiet_build: bool,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Build = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    let Some(folder) = &asked.context else {
        of_one_build(matches)?;
        Run::new(context, None)?.go(&Selection::of(&["prepare", "build"]).stages()?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut agents = Agents::default();
    let request = Request { agents: agents.open(&asked.ssh)?, ..request(&asked, folder)? };
    let targets = asked.output.iter().map(|text| Destination::parse(text)).collect::<Result<Vec<_>, Problem>>()?;
    let caches = |texts: &[String], way| texts.iter().map(|text| Cache::parse(text, way)).collect::<Result<Vec<_>, Problem>>();
    let (from, to) = (caches(&asked.cache_from, Way::From)?, caches(&asked.cache_to, Way::To)?);
    // Then nothing else may be on it.
    let data_taken = targets.iter().any(Destination::is_stdout);
    let store = image::open(context)?;
    let sandbox = Sandbox::new(context)?;
    let _guard = crate::interrupt::cleanup(&sandbox);
    let mut world = World::new(&sandbox, &store, || registries::remote(context));
    from.iter().try_for_each(|cache| cache.take(context, &mut world.memories))?;
    let output = &context.output;
    let as_json = output.is_json() || asked.progress == "json";
    let report = |event: BuildEvent| show(output, as_json, asked.explain, &event);
    let (built, differences) = if asked.verify {
        builder::verify(&request, &store, &world.outside(), &report)
    } else {
        builder::build(&request, &store, &world.outside(), &report).map(|built| (built, Vec::new()))
    }
    .map_err(|error| error.problem())?;
    built.warnings.iter().chain(&world.memories.troubles()).for_each(|warning| output.warning(warning));
    let image = store.images().get(&built.image).map_err(image::problem)?;
    targets.iter().try_for_each(|target| target.write(&store, &image, &request.tags))?;
    to.iter().try_for_each(|cache| cache.put(context, &sandbox, &store, &built))?;
    let told = tell(&asked, output, &built, data_taken)?;
    same_twice(&differences).map(|()| told)
}

/// Only a person can use a shell.
fn shell(asked: &Build) -> Result<bool, Problem> {
    if asked.shell && !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(usage("`--shell` is for a person at a terminal, and standard input or output is none"));
    }
    Ok(asked.shell)
}

/// Flags that say something of one build, and nothing of a project's.
fn of_one_build(matches: &clap::ArgMatches) -> Result<(), Problem> {
    for id in OF_ONE {
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            return Err(usage(format!("`--{}` is for the build of one context, and none is named", id.replace('_', "-")))
                .hint("write its folder behind the flags, such as `.`; for the project's images the settings in wharf.yaml count"));
        }
    }
    Ok(())
}

fn host(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string())
}

fn tell(asked: &Build, output: &Output, built: &Built, data_taken: bool) -> Result<ExitCode, Problem> {
    let write = |path: &Option<PathBuf>, text: String| match path {
        Some(path) => base::files::write_atomically(path, text.as_bytes(), 0o644).map_err(|error| host(&error)),
        None => Ok(()),
    };
    let (image, manifest) = (built.image.to_string(), built.manifest.to_string());
    let steps: Vec<_> = built
        .steps
        .iter()
        .map(|step| json!({"stage": step.stage_name, "line": step.line, "instruction": step.instruction, "cached": step.cached, "reasons": step.reasons}))
        .collect();
    let facts = json!({"image": image, "manifest": manifest, "cached": built.cached, "steps": steps,
        "milliseconds": u64::try_from(built.took.as_millis()).unwrap_or(u64::MAX), "containerimage.config.digest": image, "containerimage.digest": manifest});
    write(&asked.iidfile, image.clone())?;
    write(&asked.metadata_file, format!("{facts:#}\n"))?;
    if output.is_json() && !data_taken {
        output.json(&facts);
    } else {
        output.say(&format!("built in {}, {} of {} steps cached", show_duration(built.took), built.cached, built.steps.len()));
        if !data_taken {
            output.data(&image);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(output: &Output, as_json: bool, explain: bool, event: &BuildEvent) {
    match event {
        BuildEvent::Started { step, instruction } if as_json => {
            output.json(&json!({"event": "started", "stage": step.stage, "step": step.number, "of": step.of, "instruction": instruction}))
        }
        BuildEvent::Output { step, line } if as_json => {
            output.json(&json!({"event": "output", "stage": step.stage, "step": step.number, "line": line}))
        }
        BuildEvent::Finished { step, cached, reasons, took } if as_json => {
            output.json(&json!({"event": "finished", "stage": step.stage, "step": step.number, "cached": cached, "reasons": reasons, "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX)}));
        }
        BuildEvent::Started { step, instruction } => output.say(&format!(
            "{} {}",
            output.paint(Paint::Bold, &format!("[{} {}/{}]", step.stage, step.number, step.of)),
            printable(instruction)
        )),
        BuildEvent::Output { line, .. } => output.say(&format!("    {}", printable(line))),
        BuildEvent::Finished { cached, reasons, took, .. } => {
            let words = if *cached { "cached".to_owned() } else { show_duration(*took) };
            output.say(&format!("    {}", output.paint(Paint::Dim, &words)));
            if explain {
                reasons.iter().for_each(|reason| output.say(&format!("    not cached: {reason}")));
            }
        }
    }
}

fn request(asked: &Build, folder: &Path) -> Result<Request, Problem> {
    if !folder.is_dir() {
        return Err(usage(format!("the context `{}` is no folder", folder.display())).hint("name the folder that COPY takes from"));
    }
    if let Some(platform) = &asked.platform {
        own_platform(platform)?;
    }
    let tags = asked
        .tag
        .iter()
        .map(|tag| tag.parse::<Reference>().map(Reference::or_latest).map_err(|error| usage(format!("`{tag}` is no image name: {error}"))));
    Ok(Request {
        context: folder.to_path_buf(),
        dockerfile: asked.file.clone().unwrap_or_else(|| folder.join("Dockerfile")),
        target: asked.target.clone(),
        args: asked.build_arg.iter().filter_map(|text| argument(text)).collect(),
        labels: pairs(&asked.label, "--label")?,
        tags: tags.collect::<Result<_, _>>()?,
        contexts: pairs(&asked.build_context, "--build-context")?.into_iter().map(|(name, what)| (name, named(&what))).collect(),
        epoch: None,
        no_cache: asked.no_cache,
        secrets: asked.secret.iter().map(|text| secret(text)).collect::<Result<_, _>>()?,
        host_network: allowed(&asked.allow)?,
        pull: asked.pull,
        shell: shell(asked)?,
        ..Request::default()
    })
}

/// What two builds made differently, as the work's no.
fn same_twice(differences: &[Difference]) -> Result<(), Problem> {
    if differences.is_empty() {
        return Ok(());
    }
    let finding = |one: &Difference| {
        let what = if one.path.is_empty() { one.what.clone() } else { format!("`/{}`: {}", printable(&one.path), one.what) };
        Finding::new("build/verify", Severity::Error, Place::default(), format!("{what} (of `{}`)", printable(&one.instruction)))
    };
    Err(Problem::new(ProblemKind::Work, "built again, the image is another one")
        .with_findings(differences.iter().map(finding).collect())
        .hint("look for times, random names and the order of files in what the instruction runs"))
}

/// Nothing is built for other machines.
fn own_platform(text: &str) -> Result<(), Problem> {
    let (own, asked) = (blobs::remote::host_platform(), blobs::remote::parse_platform(text).map_err(usage)?);
    if (&asked.os, &asked.architecture) == (&own.os, &own.architecture) {
        return Ok(());
    }
    let own = format!("{}/{}", own.os, own.architecture);
    Err(usage(format!("the platform `{text}` cannot be built here")).hint(format!("only `{own}` can, on a machine like this one")))
}

/// docker's entitlements, of which one is known.
fn allowed(asked: &[String]) -> Result<bool, Problem> {
    match asked.iter().find(|what| *what != "network.host") {
        Some(other) => Err(usage(format!("`--allow {other}` is not supported")).hint("only network.host is")),
        None => Ok(!asked.is_empty()),
    }
}

/// As docker reads it: without `src` and `env` the variable of the secret's name, or else the file.
fn secret(text: &str) -> Result<(String, Secret), Problem> {
    let wrong = |why: String| usage(format!("`--secret {text}`: {why}")).hint("write id=NAME,src=FILE or id=NAME,env=VARIABLE");
    let (mut id, mut source, mut variable, mut kind) = (None, None, None, None);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| wrong(format!("`{part}` has no `=`")))?;
        match key.to_ascii_lowercase().as_str() {
            "id" => id = Some(value.to_owned()),
            "src" | "source" => source = Some(value.to_owned()),
            "env" => variable = Some(value.to_owned()),
            "type" if ["file", "env"].contains(&value) => kind = Some(value),
            _ => return Err(wrong(format!("`{part}` is not known"))),
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| wrong("it has no id".to_owned()))?;
    let value = |name: &str| std::env::var_os(name).map(|value| Secret::Value(Hidden(value.into_encoded_bytes())));
    // docker: with `type=env`, `src` is the variable's name; and without a type a name that is no file may be one.
    let from_variable = variable.clone().or_else(|| (kind == Some("env")).then(|| source.clone().unwrap_or_else(|| id.clone())));
    if let Some(name) = from_variable {
        return Ok((id, value(&name).ok_or_else(|| wrong(format!("the variable `{name}` is not set")))?));
    }
    if let (None, None, Some(secret)) = (&source, kind, value(&id)) {
        return Ok((id, secret));
    }
    let path = PathBuf::from(source.unwrap_or_else(|| id.clone()));
    if !path.is_file() {
        return Err(wrong(format!("`{}` is no file", path.display())));
    }
    Ok((id, Secret::File(path)))
}

fn argument(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) => Some((key.to_owned(), value.to_owned())),
        None => std::env::var(text).ok().map(|value| (text.to_owned(), value)),
    }
}

fn pairs(texts: &[String], flag: &str) -> Result<BTreeMap<String, String>, Problem> {
    let pair = |text: &String| {
        text.split_once('=')
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| usage(format!("`{flag} {text}` has no `=`")))
    };
    texts.iter().map(pair).collect()
}

fn named(what: &str) -> NamedContext {
    let path = Path::new(what.strip_prefix("oci-layout://").unwrap_or(what));
    if path.is_dir() {
        NamedContext::Folder(path.to_path_buf())
    } else if path.is_file() {
        NamedContext::Archive(path.to_path_buf())
    } else {
        NamedContext::Image(what.strip_prefix("docker-image://").unwrap_or(what).to_owned())
    }
}

/// A build's failure as the user is told it, with the last lines of the step that failed.
pub fn problem(error: &BuildError) -> Problem {
    let problem = error.problem();
    let BuildError::Step(step) = error else { return problem };
    let mut finding = Finding::new(
        "build",
        Severity::Error,
        Place::in_file(&step.file, step.line, 1),
        format!("{} failed: {}", printable(&step.instruction), step.message),
    );
    finding.evidence = step.output.iter().map(|line| printable(line)).collect();
    if step.exit.is_none() && step.output.is_empty() { problem } else { problem.with_findings(vec![finding]) }
}
