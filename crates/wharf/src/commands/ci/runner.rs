//! `wharf ci runner`: does the runs of a server, here.

use super::{git, host, secret_file};
use crate::context::Context;
use crate::registries::proxies;
use base::{Problem, ProblemKind};
use ci::runner::{RunnerError, RunnerOptions};
use clap::Args;
use net::client::{ClientOptions, Trust, Url};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long `wharf up` has to end by itself, once a run is to end.
const GRACE: Duration = Duration::from_secs(20);
/// Longer than the server lets a runner wait for a run.
const STALL: Duration = Duration::from_secs(45);

#[derive(Debug, Args)]
pub(super) struct Runner {
    /// The server, such as `https://ci.example.com:7080`
    #[arg(long, value_name = "URL")]
    server: String,
    /// A token of the role `runner`, in this file
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Its name, as runs show who does them [default: the host's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where commits are checked out [default: `runner` in Wharf's home]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Certificates in PEM that are trusted beside the system's
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Ends when this process is no longer its parent, and no run is in hand
    #[arg(long, hide = true)]
    parent: Option<i32>,
}

pub(super) fn run(context: &Context, asked: Runner) -> Result<(), Problem> {
    let usage = |why: String| Problem::new(ProblemKind::Usage, why);
    let server = Url::parse(&asked.server).map_err(|error| usage(error.to_string()))?;
    let token = secret_file(&asked.token_file)?;
    let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(|error| usage(format!("cannot read {}: {error}", path.display())));
    let authorities: Vec<String> = asked.authority.map(read).transpose()?.into_iter().collect();
    let trust = if server.origin.is_loopback() && authorities.is_empty() { Trust::Unchecked } else { Trust::Checked };
    let name = asked.name.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    let program = std::env::current_exe().map_err(|error| host(&format!("cannot tell where this program is: {error}")))?;
    let (output, said_by) = (context.output.clone(), name.clone());
    let parent = asked.parent;
    let options = RunnerOptions {
        server,
        trust,
        client: ClientOptions { stall_time: STALL, proxies: proxies(), authorities, ..ClientOptions::default() },
        token,
        work: asked.work.unwrap_or_else(|| context.home.join("runner")),
        git: git(),
        program,
        before: vec![crate::helpers::JOB.into(), std::process::id().to_string().into()],
        after: vec!["--home".into(), context.home.clone().into()],
        environment: std::env::vars_os().collect(),
        grace: GRACE,
        leaves: Arc::new(move || {
            parent.is_some_and(|parent| rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent))
        }),
        say: Arc::new(move |line| output.say(&format!("{said_by}: {}", crate::output::printable(line)))),
        name,
    };
    context.tokio()?.block_on(async {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            let _ = super::super::engine::asked_to_stop().await;
            stop.send_replace(true);
            std::future::pending::<()>().await;
        });
        ci::runner::work(options, stopped).await.map_err(|error| match error {
            RunnerError::Refused(..) => {
                Problem::new(ProblemKind::Target, error.to_string()).hint("make one with `wharf ci token add NAME --role runner`")
            }
            RunnerError::File(error) => host(&error),
        })
    })
}
