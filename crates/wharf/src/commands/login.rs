//! `wharf login`: who we are at a registry, tried there and kept where docker keeps it.

use super::{Command, arguments};
use crate::context::Context;
use crate::registries::{self, DockerFile};
use crate::session::without_echo;
use base::{Problem, ProblemKind};
use blobs::remote::{Credential, Greeting, Secret};
use clap::Args;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command = Command { name: "login", about: "Logs in to a registry", define: Arguments::augment_args, run };

#[derive(Args)]
struct Arguments {
    /// The registry
    #[arg(default_value = "docker.io")]
    registry: String,
    /// Name
    #[arg(short, long)]
    username: Option<String>,
    /// Password; other users of this machine can see it
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Reads the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// The longest password that is read.
const MAX_PASSWORD: u64 = 128 << 10;

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Arguments = arguments(matches)?;
    let registry = host(&asked.registry)?;
    let remote = registries::remote(context)?;
    let credential = credential(context, asked)?;
    crate::interrupt::listen(&context.output);
    let greeting = context.tokio()?.block_on(remote.login(&registry, &credential)).map_err(registries::problem)?;
    let place = DockerFile::of_user().store(&registry, &credential)?;
    let output = &context.output;
    if greeting == Greeting::Unasked {
        output.warning(&format!("the registry `{registry}` lets everybody in, so that nobody knows whether the password is right"));
    }
    output.say(&format!("logged in to `{registry}`; {place} keeps it"));
    if output.is_json() {
        output.json(&json!({"registry": registry, "verified": greeting == Greeting::Welcome}));
    }
    Ok(ExitCode::SUCCESS)
}

/// A registry as it was typed: `host`, `host:port`, or an address.
///
/// # Errors
/// When it is none.
pub fn host(text: &str) -> Result<String, Problem> {
    let rest = text.strip_prefix("https://").or(text.strip_prefix("http://")).unwrap_or(text);
    let host = rest.split('/').next().unwrap_or(rest);
    let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host };
    match format!("{host}/x").parse::<oci::Reference>() {
        Ok(reference) if reference.registry == host => Ok(host.to_owned()),
        _ => {
            Err(Problem::new(ProblemKind::Usage, format!("`{text}` is no registry"))
                .hint("write it like ghcr.io or registry.example.com:5000"))
        }
    }
}

fn credential(context: &Context, asked: Arguments) -> Result<Credential, Problem> {
    let stdin = std::io::stdin();
    let usage = |message: &str| Problem::new(ProblemKind::Usage, message);
    let terminal = stdin.is_terminal();
    let user = match asked.username {
        Some(user) => user,
        None if asked.password_stdin || !terminal => return Err(usage("no name was given").hint("pass `--username NAME`")),
        None => {
            let _ = write!(std::io::stderr(), "name: ");
            let mut line = String::new();
            stdin.lock().take(4096).read_line(&mut line).map_err(|error| usage(&format!("cannot read the name: {error}")))?;
            line.trim().to_owned()
        }
    };
    let password = match asked.password {
        Some(password) => {
            context.output.warning(
                "other users of this machine can see a password on the command line; `--password-stdin` reads it from standard input",
            );
            password
        }
        None if asked.password_stdin => {
            let mut text = String::new();
            stdin
                .lock()
                .take(MAX_PASSWORD)
                .read_to_string(&mut text)
                .map_err(|error| usage(&format!("cannot read the password: {error}")))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None if terminal => {
            let _ = write!(std::io::stderr(), "password: ");
            let mut line = String::new();
            let read = without_echo(|| stdin.lock().take(MAX_PASSWORD).read_line(&mut line));
            let _ = writeln!(std::io::stderr());
            read.map_err(|error| usage(&format!("cannot read the password: {error}")))?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => return Err(usage("no password was given").hint("pass `--password-stdin` and send it there")),
    };
    if user.is_empty() || user.contains(':') || password.is_empty() {
        return Err(usage("a name without `:` and a password are needed"));
    }
    Ok(Credential::Password { user, password: Secret::new(password) })
}
