//! `wharf ci serve`: the git remote, the web hooks, the queue, the pages, and runners as children.

use super::source::Everything;
use super::{Root, git, host};
use crate::context::Context;
use crate::notify::Told;
use crate::settings::{Source, read};
use base::units::parse_duration;
use base::{Problem, ProblemKind};
use ci::{OpenError, Role, Server, ServerOptions};
use clap::Args;
use dashboard::Pages;
use http::{Request, Response};
use hyper::body::Incoming;
use net::{Body, Handler, Peer};
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long requests have to end when the server is stopped.
const DRAIN: Duration = Duration::from_secs(10);
/// How long runners have to give their runs back.
const LEAVE: Duration = Duration::from_secs(40);
/// How long until a runner that ended is started again.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port; beyond this machine only with --tls
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7080")]
    listen: SocketAddr,
    #[command(flatten)]
    root: Root,
    /// Serves TLS with a certificate and its key, both PEM
    #[arg(long, value_name = "CERT,KEY", value_parser = tls_files)]
    tls: Option<(PathBuf, PathBuf)>,
    /// Serves beyond this machine without TLS, where something in front of it speaks that
    #[arg(long)]
    plain: bool,
    /// A name under which it may be reached; the first one stands in the addresses that it tells; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Runners on this machine; 0 where all are elsewhere
    #[arg(long, value_name = "N", default_value_t = 1)]
    runners: usize,
    /// A runner that says nothing for so long is lost, and its run is given to another one, once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30s")]
    silence: Duration,
    /// How long runs and logs are kept, where a project does not say it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "30d")]
    keep: Duration,
    /// How long artefacts are kept
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "14d")]
    keep_artefacts: Duration,
    /// Who is told of runs that fail: a file with `notify` as wharf.yaml has it, of this server's own
    #[arg(long, value_name = "FILE")]
    notify: Option<PathBuf>,
    /// How many runs are kept
    #[arg(long, value_name = "N", default_value_t = 2000)]
    keep_runs: usize,
}

fn tls_files(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.split_once(',') {
        Some((chain, key)) if !chain.is_empty() && !key.is_empty() => Ok((chain.into(), key.into())),
        _ => Err("expected a certificate and its key: CERT,KEY".to_owned()),
    }
}

pub(super) fn run(context: &Context, asked: Serve) -> Result<(), Problem> {
    if !asked.listen.ip().is_loopback() && asked.tls.is_none() && !asked.plain {
        let message =
            format!("{} can be reached from other machines, and tokens and secrets would cross the network in the clear", asked.listen);
        return Err(
            Problem::new(ProblemKind::Usage, message).hint("pass --tls CERT,KEY, or --plain where something in front of it speaks TLS")
        );
    }
    let root = asked.root.made(context)?;
    let told = asked.notify.as_deref().map(Told::read).transpose()?;
    let tls = asked.tls.as_ref().map(|(chain, key)| tls(chain, key)).transpose()?;
    context.tokio()?.block_on(async {
        let refused = |error: std::io::Error| {
            Problem::new(ProblemKind::Host, format!("cannot listen on {}: {error}", asked.listen))
                .hint("name another address with --listen")
        };
        let listener = tokio::net::TcpListener::bind(asked.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let name = asked.hosts.first().map_or_else(|| address.to_string(), |host| format!("{host}:{}", address.port()));
        let url = format!("{scheme}://{name}");
        let server = Server::open(&root, options(context, &asked, url.clone())).map_err(opened)?;
        for pushed in server.catch_up().await.map_err(|error| host(&error))? {
            log(context, &format!("pushed before: {pushed}"));
        }
        let source = Arc::new(Everything::new(server.clone(), &context.home));
        let pages =
            Arc::new(Pages::new(source, dashboard::Options { hosts: asked.hosts.clone(), https: tls.is_some(), ..Default::default() }));
        let front = Front { server: server.clone(), pages: pages.clone() };
        let serving = net::serve(listener, tls, net::Limits::default(), Arc::new(front)).map_err(refused)?;
        let admin = token(&server, &root, "admin", Role::Admin)?;
        let runner = token(&server, &root, "runner", Role::Runner)?;
        tell(context, &url, &root, &admin);
        let runners =
            Runners { context: context.clone(), url: format!("{scheme}://{}", local(address)), token: runner, count: asked.runners };
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let mut telling = pin!(tell_of_runs(context, told, &root, &server, &url, stopping.clone()));
        let kept = tokio::spawn(runners.keep(stopping));
        let why = tokio::select! {
            asked = super::super::engine::asked_to_stop() => { asked?; None }
            why = server.look_after() => Some(why),
            () = &mut telling => None,
        };
        stop.send_replace(true);
        // They give their runs back while they are still heard.
        let _ = tokio::join!(tokio::time::timeout(LEAVE, kept), telling);
        pages.close();
        serving.drain(DRAIN).await;
        why.map_or(Ok(()), |why| Err(host(&format!("nothing can be kept any more: {why}"))))
    })
}

/// Tells of runs that fail until the server stops, where somebody wants to know.
async fn tell_of_runs(
    context: &Context,
    told: Option<Told>,
    root: &Path,
    server: &Server,
    url: &str,
    stopping: tokio::sync::watch::Receiver<bool>,
) {
    match told {
        Some(told) => told.watch(context, root, server.runs(), url, stopping).await,
        None => crate::notify::stopped(stopping).await,
    }
}

/// The server for its own paths, the pages for all others.
struct Front {
    server: Server,
    pages: Arc<Pages>,
}

impl Handler for Front {
    async fn handle(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Body> {
        if Server::takes(request.uri().path()) { self.server.answer(request).await } else { self.pages.handle(request, &peer).await }
    }
}

fn options(context: &Context, asked: &Serve, url: String) -> ServerOptions {
    let output = context.clone();
    let patience = ci::queue::Patience { silence: asked.silence.max(Duration::from_secs(1)), ..Default::default() };
    let runs =
        ci::Options { patience, keep: asked.keep, keep_artefacts: asked.keep_artefacts, runs: asked.keep_runs, ..Default::default() };
    ServerOptions {
        runs,
        git: git(),
        hosts: asked.hosts.clone(),
        url,
        rules: Arc::new(rules),
        say: Arc::new(move |line| log(&output, line)),
        ..Default::default()
    }
}

/// What the `ci` section of a commit's settings says.
fn rules(text: &str) -> Option<ci::Rules> {
    let file = Source { name: crate::settings::PROJECT_FILE.to_owned(), text: text.to_owned() };
    // Only what a folder would tell is missing here: the project's name.
    let (settings, _) = read(Some(&file), None, &[], "project: unknown\n").ok()?;
    let section = settings.ci;
    let rule = |run: crate::settings::CiRun| ci::Rule {
        branches: run.only.branches,
        paths: run.only.paths,
        environment: run.env,
        stages: run.stages,
        skip: run.skip,
        artefacts: run.artefacts,
    };
    let runs: Vec<ci::Rule> = section.runs.into_iter().map(rule).collect();
    Some(ci::Rules { runs: Some(runs).filter(|runs| !runs.is_empty()), keep: section.keep, submodules: section.submodules })
}

fn log(context: &Context, line: &str) {
    if !context.globals.quiet {
        let at = base::Clock::now(&base::SystemClock).rfc3339_micros();
        let _ = writeln!(std::io::stderr().lock(), "{at} {}", crate::output::printable(line));
    }
}

fn tls(chain: &Path, key: &Path) -> Result<registry::Tls, Problem> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| Problem::new(ProblemKind::Usage, format!("cannot read {}: {error}", path.display())))
    };
    let config = registry::tls(&read(chain)?, &read(key)?);
    config.map_err(|error| Problem::new(ProblemKind::Usage, format!("TLS cannot be set up: {error}")))
}

fn opened(error: OpenError) -> Problem {
    host(&error).hint("another server may have this folder: stop it, or name another one with --root")
}

/// A token of the server's own, in a file that only its user reads; a new one where the old one is not good any more.
fn token(server: &Server, root: &Path, name: &str, role: Role) -> Result<PathBuf, Problem> {
    let path = root.join(format!("{name}.token"));
    let known = base::files::read_if_exists(&path).map_err(|error| host(&error))?;
    let known = known.and_then(|token| String::from_utf8(token).ok()).and_then(|token| server.tokens().who(token.trim()));
    if known.is_none_or(|who| who.role != role) {
        let token = server.tokens().add(name, role).map_err(|error| host(&error))?;
        base::files::write_atomically(&path, format!("{token}\n").as_bytes(), 0o600).map_err(|error| host(&error))?;
    }
    Ok(path)
}

fn tell(context: &Context, url: &str, root: &Path, admin: &Path) {
    let output = &context.output;
    if output.is_json() {
        output.json(&json!({"ready": {"url": url, "root": root, "pid": std::process::id(), "admin_token_file": admin}}));
        return;
    }
    output.say(&format!("the pipeline is ready at {url} (process {}, folder {})", std::process::id(), root.display()));
    output.say(&format!("push to it: git remote add wharf {url}/git/NAME.git; the password is a token, yours is in {}", admin.display()));
}

/// Where runners of this machine reach an address.
fn local(address: SocketAddr) -> SocketAddr {
    let mut local = address;
    if address.ip().is_unspecified() {
        local.set_ip(if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    local
}

/// Runners as children of the server.
struct Runners {
    context: Context,
    url: String,
    token: PathBuf,
    count: usize,
}

impl Runners {
    /// Keeps them running until it is told to stop, and then until all have left.
    async fn keep(self, stopping: tokio::sync::watch::Receiver<bool>) {
        let runners = (1..=self.count).map(|number| self.keep_one(number, stopping.clone()));
        futures::future::join_all(runners).await;
    }

    async fn keep_one(&self, number: usize, mut stopping: tokio::sync::watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let mut child = match self.start(number) {
                Ok(child) => child,
                Err(error) => {
                    log(&self.context, &format!("cannot start a runner: {error}"));
                    let _ = tokio::time::timeout(AGAIN, stopping.wait_for(|stopping| *stopping)).await;
                    continue;
                }
            };
            let ended = tokio::select! {
                ended = child.wait() => Some(ended),
                _ = stopping.wait_for(|stopping| *stopping) => None,
            };
            match ended {
                Some(ended) => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    log(&self.context, &format!("the runner local-{number} ended ({how}), and is started again"));
                    let _ = tokio::time::timeout(AGAIN, stopping.wait_for(|stopping| *stopping)).await;
                }
                None => {
                    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
                        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                    }
                    let _ = child.wait().await;
                }
            }
        }
    }

    fn start(&self, number: usize) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        let name = format!("local-{number}");
        command.args(["ci", "runner", "--server", &self.url, "--name", &name, "--parent", &std::process::id().to_string()]);
        command.arg("--token-file").arg(&self.token).arg("--home").arg(&self.context.home);
        command.arg("--work").arg(self.context.home.join("runner").join(&name));
        // A group of its own: what interrupts the server does not interrupt it, the server tells it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn()
    }
}

#[cfg(test)]
mod tests {
    use super::rules;

    #[test]
    fn the_section_of_a_commit_is_read_without_its_folder() {
        let text = "ci:\n  keep: 2d\n  runs:\n    - { only: { branches: [main, 'release/*'], paths: ['src/**'] }, env: prod, skip: [load] }\n    - { stages: [lint] }\n";
        let rules = rules(text).expect("rules");
        let runs = rules.runs.expect("runs");
        assert_eq!((runs[0].environment.as_str(), runs[0].branches.len(), runs[0].paths.len()), ("prod", 2, 1));
        assert_eq!((runs[1].environment.as_str(), runs[1].stages.as_slice()), ("local", ["lint".to_owned()].as_slice()));
        assert_eq!(rules.keep.map(|keep| keep.as_secs()), Some(172_800));
        assert_eq!(super::rules("project: a\n"), Some(ci::Rules::default()));
        assert_eq!(super::rules("ci: { runs: [ { only: 1 } ] }\n"), None);
    }
}
