//! `wharf run`: one container of an image, without an engine.

use super::{Command, arguments, image};
use crate::cli::usage;
use crate::context::Context;
use crate::sandbox::{Sandbox, default_privileges, lines, name_files};
use base::{Problem, ProblemKind};
use clap::Args;
use runtime::{ContainerSpec, Mount, MountSource, Propagation, Resources, Root, Streams, User};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// See the module.
pub const COMMAND: Command = Command { name: "run", about: "Runs one container of an image", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    /// Removes the container when it ends, which always happens; taken for docker's sake
    #[arg(long)]
    rm: bool,
    /// Hands standard input to the program
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Sets a variable; without a value it is taken from the environment
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// Mounts a file or folder: `HOST:CONTAINER[:ro]`
    #[arg(short, long, value_name = "HOST:CONTAINER")]
    volume: Vec<String>,
    /// Who runs it
    #[arg(short, long)]
    user: Option<String>,
    /// Where it starts
    #[arg(short, long)]
    workdir: Option<String>,
    /// The program, instead of the image's
    #[arg(long)]
    entrypoint: Option<String>,
    /// Limit of memory, such as 64m
    #[arg(short, long)]
    memory: Option<String>,
    /// Limit of CPUs, such as 0.5
    #[arg(long)]
    cpus: Option<f64>,
    /// Its root cannot be written
    #[arg(long)]
    read_only: bool,
    /// Takes a capability away; ALL takes all
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Name or id of the image
    image: String,
    /// The command, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    start(context, &asked)
}

/// Runs a command in a container of an image of the store, with nothing but its output.
///
/// # Errors
/// When it cannot be started.
pub fn image(context: &Context, image: &str, command: Vec<String>) -> Result<ExitCode, Problem> {
    start(context, &plain(image, command))
}

/// What a container may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Thousandths of a CPU.
    pub cpu_milli: Option<u64>,
    /// Its time; it is ended afterwards.
    pub time: Duration,
}

/// Runs a command in a container of an image within limits, handing its lines on; how it ended, nothing where its time was up.
///
/// # Errors
/// When it cannot be started.
pub fn watched(
    context: &Context,
    image: &str,
    command: Vec<String>,
    limits: &Limits,
    line: &dyn Fn(&str),
) -> Result<Option<runtime::Exit>, Problem> {
    // The image's own entry point is not asked for.
    let (program, rest) = command.split_first().map_or((None, Vec::new()), |(program, rest)| (Some(program.clone()), rest.to_vec()));
    let mut asked = plain(image, rest);
    asked.entrypoint = program;
    let resources = Resources { memory_bytes: Some(limits.memory_bytes), cpu_milli: limits.cpu_milli, ..Resources::default() };
    let until = Instant::now() + limits.time;
    contained(context, &asked, &resources, Some(until), |streams, tokio| {
        // What closes its output has not ended: both have the same time.
        let _ = tokio.block_on(async { tokio::time::timeout_at(until.into(), lines(streams, line)).await });
    })
}

fn plain(image: &str, command: Vec<String>) -> Arguments {
    Arguments {
        rm: true,
        interactive: false,
        env: Vec::new(),
        volume: Vec::new(),
        user: None,
        workdir: None,
        entrypoint: None,
        memory: None,
        cpus: None,
        read_only: false,
        cap_drop: Vec::new(),
        image: image.to_owned(),
        command,
    }
}

/// Runs a container while it is watched; nothing where it had not ended at its time.
fn contained(
    context: &Context,
    asked: &Arguments,
    resources: &Resources,
    until: Option<Instant>,
    watch: impl FnOnce(Streams, &tokio::runtime::Runtime),
) -> Result<Option<runtime::Exit>, Problem> {
    let store = image::open(context)?;
    let found = store.images().resolve(&asked.image).map_err(image::problem)?;
    let sandbox = Sandbox::new(context)?;
    let _guard = crate::interrupt::cleanup(&sandbox);
    let name = format!("run-{}", base::ids::suffix(10));
    let folder = sandbox.files(&name);
    let done = (|| {
        let container = container(asked, &found, &folder, &name, resources)?;
        let started = sandbox.start(&name, &container, &container.resources)?;
        watch(started.streams, sandbox.tokio());
        match until {
            Some(until) => sandbox.finish_by(&started.pod, until),
            None => sandbox.finish(&started.pod).map(Some),
        }
    })();
    let _ = std::fs::remove_dir_all(&folder);
    crate::interrupt::give_way();
    done
}

fn start(context: &Context, asked: &Arguments) -> Result<ExitCode, Problem> {
    let to_its_end = |streams, tokio: &tokio::runtime::Runtime| {
        tokio.block_on(pipe(streams));
    };
    match resources(asked).and_then(|resources| contained(context, asked, &resources, None, to_its_end)) {
        Ok(None) => Err(Problem::new(ProblemKind::Defect, "the container was ended before its time")),
        Ok(Some(exit)) => Ok(ExitCode::from(u8::try_from(exit.code).unwrap_or(u8::MAX))),
        // docker's codes: 125 for what is ours, 126 and 127 for the program's.
        Err(problem) => {
            context.output.problem(&problem);
            Ok(ExitCode::from(match problem.kind {
                ProblemKind::Work if problem.message.contains("No such file") || problem.message.contains("not found") => 127,
                ProblemKind::Work => 126,
                _ => 125,
            }))
        }
    }
}

fn container(
    asked: &Arguments,
    found: &blobs::Image,
    folder: &std::path::Path,
    name: &str,
    resources: &Resources,
) -> Result<ContainerSpec, Problem> {
    let config = &found.config.config;
    let mut args = match &asked.entrypoint {
        Some(program) => vec![program.clone()],
        None => config.entrypoint.clone().unwrap_or_default(),
    };
    let from_image = asked.command.is_empty() && asked.entrypoint.is_none();
    args.extend(if from_image { config.cmd.clone().unwrap_or_default() } else { asked.command.clone() });
    if args.is_empty() {
        return Err(usage(format!("the image `{}` has no command", asked.image)).hint("write one behind the image's name"));
    }
    let mut mounts = name_files(folder, name)?;
    for volume in &asked.volume {
        mounts.push(mount(volume)?);
    }
    let mut privileges = default_privileges();
    for drop in &asked.cap_drop {
        let drop = drop.to_uppercase();
        let drop = drop.strip_prefix("CAP_").unwrap_or(&drop);
        privileges.capabilities.retain(|capability| drop != "ALL" && capability != drop);
    }
    Ok(ContainerSpec {
        name: "run".to_owned(),
        attempt: 0,
        root: Root { layers: found.trees.clone(), writable: folder.join("root"), read_only: asked.read_only },
        args,
        env: environment(&config.env, &asked.env, name),
        working_dir: asked
            .workdir
            .clone()
            .unwrap_or_else(|| if config.working_dir.is_empty() { "/".to_owned() } else { config.working_dir.clone() }),
        user: User { image: asked.user.clone().unwrap_or_else(|| config.user.clone()), ..User::default() },
        privileges,
        resources: resources.clone(),
        mounts,
        log: None,
        stdin: asked.interactive,
        terminal: false,
    })
}

fn environment(image: &[String], asked: &[String], name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let given = asked.iter().filter_map(|text| {
        if text.contains('=') { Some(text.clone()) } else { std::env::var(text).ok().map(|value| format!("{text}={value}")) }
    });
    let defaults = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(), format!("HOSTNAME={name}")];
    for entry in defaults.into_iter().chain(image.iter().cloned()).chain(given) {
        let key = entry.split('=').next().unwrap_or_default().to_owned();
        all.retain(|known| known.split('=').next() != Some(&key));
        all.push(entry);
    }
    all
}

fn mount(text: &str) -> Result<Mount, Problem> {
    let mut parts = text.split(':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else { return Err(usage(format!("`-v {text}` is no HOST:CONTAINER"))) };
    let read_only = match parts.next() {
        None | Some("rw") => false,
        Some("ro") => true,
        Some(other) => return Err(usage(format!("`-v {text}`: `{other}` is neither ro nor rw"))),
    };
    let source = PathBuf::from(source);
    if !source.is_absolute() || !target.starts_with('/') {
        return Err(usage(format!("`-v {text}` needs absolute paths")).hint("named volumes are not supported yet"));
    }
    Ok(Mount { source: MountSource::Bind(source), target: target.to_owned(), read_only, propagation: Propagation::None })
}

fn resources(asked: &Arguments) -> Result<Resources, Problem> {
    let memory = asked
        .memory
        .as_deref()
        .map(|text| bytes(text).ok_or_else(|| usage(format!("`--memory {text}` is no size; write it like 64m or 1g"))));
    let cpu = asked.cpus.map(|cpus| {
        if cpus > 0.0 && cpus < 10_000.0 {
            Ok((cpus * 1_000.0) as u64)
        } else {
            Err(usage(format!("`--cpus {cpus}` is no number of CPUs")))
        }
    });
    Ok(Resources { memory_bytes: memory.transpose()?, cpu_milli: cpu.transpose()?, ..Resources::default() })
}

/// A size as docker writes it: bytes, or with b, k, m or g in powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

async fn pipe(streams: Streams) {
    if let Some(stdin) = streams.stdin {
        crate::session::feed(stdin);
    }
    let copy = |stream: Option<Box<dyn AsyncRead + Send + Unpin>>, error: bool| async move {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 32 << 10];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let bytes = buffer.get(..read).unwrap_or_default();
            let written = if error {
                tokio::io::stderr().write_all(bytes).await
            } else {
                let mut out = tokio::io::stdout();
                out.write_all(bytes).await.and(out.flush().await)
            };
            if written.is_err() {
                return;
            }
        }
    };
    tokio::join!(copy(Some(streams.stdout), false), copy(streams.stderr, true));
}
