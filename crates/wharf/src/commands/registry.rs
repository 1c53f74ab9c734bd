//! `wharf registry`: an OCI registry of one's own.

use super::{Command, arguments};
use crate::context::Context;
use base::units::parse_duration;
use base::{Problem, ProblemKind};
use clap::{Args, Subcommand};
use registry::{Keep, Limits, Options, Policy, Registry, RegistryError};
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub const COMMAND: Command =
    Command { name: "registry", about: "Serves images to docker, podman, containerd and their like", define: Arguments::augment_args, run };

#[derive(Debug, Args)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serves until it is told to stop
    Serve(Box<Serve>),
    /// Reads everything that a registry keeps and lists what is damaged
    Fsck {
        /// Where it keeps everything [default: `registry` in Wharf's home]
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Address and port; beyond this machine only where users have passwords
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Where it keeps everything [default: `registry` in Wharf's home]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Serves TLS with a certificate and its key, both PEM
    #[arg(long, value_name = "CERT,KEY", value_parser = tls_files)]
    tls: Option<TlsFiles>,
    /// Users and their passwords, as `htpasswd -B` writes them
    #[arg(long, value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// Who may do what: lines `WHO PATTERN RIGHT..`, such as `ci jobs/** pull push` or `anonymous public/** pull`
    #[arg(long, value_name = "FILE")]
    rights: Option<PathBuf>,
    /// Serves everybody who can reach the address, without passwords
    #[arg(long)]
    open: bool,
    /// A name under which it may be reached where it listens on this machine alone; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Keeps the last N tags of a repository, or of those that fit a pattern; may be repeated, the first that fits counts
    #[arg(long = "keep-last", value_name = "[PATTERN=]N", value_parser = keep)]
    keep: Vec<Keep>,
    /// How long a manifest stays that no tag leads to [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    untagged: Option<Duration>,
    /// How long a blob stays that no manifest names, and any tag
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "1h")]
    grace: Duration,
    /// How often what is not kept is removed; 0 is never
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10m")]
    collect_every: Duration,
    /// The largest blob, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().blob_bytes)]
    largest_blob: u64,
    /// Uploads at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().sessions)]
    uploads: usize,
    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections.connections)]
    connections: usize,
}

/// Certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TlsFiles {
    chain: PathBuf,
    key: PathBuf,
}

fn tls_files(text: &str) -> Result<TlsFiles, String> {
    match text.split_once(',') {
        Some((chain, key)) if !chain.is_empty() && !key.is_empty() => Ok(TlsFiles { chain: chain.into(), key: key.into() }),
        _ => Err("expected a certificate and its key: CERT,KEY".to_owned()),
    }
}

/// How long requests have to end when the registry is stopped.
const DRAIN: Duration = Duration::from_secs(30);

fn keep(text: &str) -> Result<Keep, String> {
    let (pattern, number) = text.split_once('=').unwrap_or(("**", text));
    let tags = number.parse().ok().filter(|number| *number > 0);
    tags.map(|tags| Keep { pattern: pattern.to_owned(), tags })
        .ok_or_else(|| "expected a number of tags above 0, or PATTERN=NUMBER".to_owned())
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Arguments { what } = arguments(matches)?;
    match what {
        What::Serve(asked) => serve(context, asked).map(|()| ExitCode::SUCCESS),
        What::Fsck { root } => fsck(context, &folder(context, root)),
    }
}

fn folder(context: &Context, root: Option<PathBuf>) -> PathBuf {
    root.unwrap_or_else(|| context.home.join("registry"))
}

fn serve(context: &Context, asked: Box<Serve>) -> Result<(), Problem> {
    let beyond = !asked.listen.ip().is_loopback();
    if beyond && asked.htpasswd.is_none() && !asked.open {
        let message = format!("{} can be reached from other machines, and nobody would be asked for a password", asked.listen);
        return Err(Problem::new(ProblemKind::Usage, message).hint("pass --htpasswd FILE, or --open to serve everybody who can reach it"));
    }
    if beyond && asked.htpasswd.is_some() && asked.tls.is_none() {
        context.output.warning("passwords cross the network in the clear without --tls CERT,KEY");
    }
    let tls = asked.tls.as_ref().map(tls).transpose()?;
    let root = folder(context, asked.root.clone());
    let (address, tls_on) = (asked.listen, tls.is_some());
    let options = options(context, *asked);
    context.tokio()?.block_on(async {
        let registry = Registry::open(&root, options).map_err(problem)?;
        let refused = |error: std::io::Error| {
            Problem::new(ProblemKind::Host, format!("cannot listen on {address}: {error}")).hint("name another address with --listen")
        };
        let listener = tokio::net::TcpListener::bind(address).await.map_err(refused)?;
        let serving = registry.serve(listener, tls).map_err(refused)?;
        let url = format!("{}://{}", if tls_on { "https" } else { "http" }, serving.address);
        if context.output.is_json() {
            context.output.json(&json!({"ready": {"url": url, "root": root, "pid": std::process::id()}}));
        } else {
            context.output.say(&format!("the registry is ready at {url} (process {}, folder {})", std::process::id(), root.display()));
        }
        super::engine::asked_to_stop().await?;
        serving.drain(DRAIN).await;
        Ok(())
    })
}

fn options(context: &Context, asked: Serve) -> Options {
    let defaults = Options::default();
    let mut limits = Limits { sessions: asked.uploads, blob_bytes: asked.largest_blob, ..defaults.limits };
    limits.connections.connections = asked.connections;
    let quiet = context.globals.quiet;
    let say = move |line: &str| {
        let at = base::Clock::now(&base::SystemClock).rfc3339_micros();
        if !quiet {
            let _ = writeln!(std::io::stderr().lock(), "{at} {line}");
        }
    };
    Options {
        limits,
        policy: Policy { grace: asked.grace, keep: asked.keep, untagged: asked.untagged },
        collect_every: Some(asked.collect_every).filter(|every| !every.is_zero()),
        htpasswd: asked.htpasswd,
        rights: asked.rights,
        hosts: asked.hosts,
        say: Arc::new(say),
        ..defaults
    }
}

fn tls(files: &TlsFiles) -> Result<registry::Tls, Problem> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| Problem::new(ProblemKind::Usage, format!("cannot read {}: {error}", path.display())))
    };
    let config = registry::tls(&read(&files.chain)?, &read(&files.key)?);
    config.map_err(|error| Problem::new(ProblemKind::Usage, format!("TLS cannot be set up: {error}")))
}

fn problem(error: RegistryError) -> Problem {
    match &error {
        RegistryError::Read { .. } | RegistryError::Passwords { .. } | RegistryError::Rights { .. } => {
            Problem::new(ProblemKind::Usage, error.to_string())
        }
        RegistryError::Open(registry::OpenError::Busy(_)) => {
            Problem::new(ProblemKind::Host, error.to_string()).hint("stop it, or name another folder with --root")
        }
        RegistryError::Open(_) | RegistryError::Stopped(_) => Problem::new(ProblemKind::Host, error.to_string()),
    }
}

fn fsck(context: &Context, root: &Path) -> Result<ExitCode, Problem> {
    let report = registry::fsck(root).map_err(|error| problem(error.into()))?;
    let output = &context.output;
    if output.is_json() {
        output.json(&json!(report));
    } else {
        report.problems.iter().for_each(|problem| output.data(problem));
        output.say(&format!(
            "{} repositories, {} tags, {} manifests, {} contents of {} in all: {}",
            report.repositories,
            report.tags,
            report.manifests,
            report.contents,
            base::units::show_bytes(report.bytes),
            if report.problems.is_empty() { "nothing is damaged".to_owned() } else { format!("{} problems", report.problems.len()) }
        ));
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(ProblemKind::Work.exit_code()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_read() {
        let line = ["registry", "serve", "--listen", "127.0.0.1:0", "--tls", "a.pem,b.pem", "--htpasswd", "users", "--rights", "rights"];
        let more = ["--keep-last", "jobs/*=5", "--keep-last", "9", "--untagged", "7d", "--grace", "10m", "--collect-every", "0s"];
        let command = Arguments::augment_args(clap::Command::new("registry"));
        let matches = command.try_get_matches_from(line.into_iter().chain(more)).expect("flags");
        let Arguments { what: What::Serve(asked) } = arguments(&matches).expect("arguments") else { panic!("not serve") };
        assert_eq!(asked.tls, Some(TlsFiles { chain: "a.pem".into(), key: "b.pem".into() }));
        assert_eq!(asked.keep.len(), 2);
        assert_eq!((asked.untagged, asked.grace), (Some(Duration::from_secs(7 * 86_400)), Duration::from_secs(600)));
        assert!(asked.collect_every.is_zero() && tls_files("a").is_err());
    }

    #[test]
    fn what_is_kept_is_read() {
        assert_eq!(keep("5"), Ok(Keep { pattern: "**".to_owned(), tags: 5 }));
        assert_eq!(keep("jobs/*=2"), Ok(Keep { pattern: "jobs/*".to_owned(), tags: 2 }));
        for wrong in ["", "0", "a", "a=", "a=0", "-1"] {
            assert!(keep(wrong).is_err(), "{wrong}");
        }
    }
}
