//! `wharf engine`: the single-machine Kubernetes.

use super::{Command, arguments};
use crate::context::Context;
use crate::engine_client;
use base::{Problem, ProblemKind};
use clap::{Args, Subcommand};
use engine::lock::Whereabouts;
use engine::{Config, Engine};
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// See the module.
pub const COMMAND: Command = Command {
    name: "engine",
    about: "Starts, stops and looks after the Kubernetes that Wharf carries",
    define: EngineArguments::augment_args,
    run,
};

#[derive(Debug, Args)]
struct EngineArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Starts it; `wharf up` does so by itself
    Start {
        /// Stays in the foreground until it is told to stop
        #[arg(long)]
        foreground: bool,
        /// The API's port on 127.0.0.1, or the next free one
        #[arg(long, default_value_t = 6443)]
        port: u16,
    },
    /// Ends its pods and itself; objects and volumes stay
    Stop,
    /// Says whether it runs, and where
    Status,
    /// Ends it and removes all that it made and kept, but for images
    Reset,
    /// Prints what it has to say
    Logs {
        /// Goes on as it says more
        #[arg(short, long)]
        follow: bool,
    },
    /// Prints a kubeconfig with the context `wharf`
    Kubeconfig {
        /// Adds the context to your own kubeconfig instead; the current context stays as it is
        #[arg(long)]
        merge: bool,
    },
}

/// How long pods have to end when the engine is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let EngineArguments { what } = arguments(matches)?;
    match what {
        What::Start { foreground: true, port } => foreground(context, port),
        What::Start { foreground: false, .. } => {
            let engine = engine_client::ensure(context)?;
            tell(context, Some(&engine));
            Ok(())
        }
        What::Stop => {
            let ran = engine_client::stop(context, STOP_PATIENCE)?;
            context.output.say(if ran { "the engine has ended" } else { "the engine did not run" });
            Ok(())
        }
        What::Status => {
            let engine = engine_client::running(context);
            tell(context, engine.as_ref());
            return Ok(if engine.is_some() { ExitCode::SUCCESS } else { ExitCode::from(ProblemKind::Target.exit_code()) });
        }
        What::Reset => reset(context),
        What::Logs { follow } => logs(context, follow),
        What::Kubeconfig { merge } => kubeconfig(context, merge),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn config(context: &Context, port: u16) -> Result<Config, Problem> {
    let program = std::env::current_exe().map_err(|error| Problem::new(ProblemKind::Host, format!("cannot find this program: {error}")))?;
    Ok(Config { home: context.home.clone(), program, port, proxies: crate::registries::proxies() })
}

fn foreground(context: &Context, port: u16) -> Result<(), Problem> {
    let config = config(context, port)?;
    let output = context.output.clone();
    let log = move |line: &str| {
        let at = base::Clock::now(&base::SystemClock).rfc3339_micros();
        let _ = writeln!(std::io::stderr().lock(), "{at} {line}");
    };
    context.tokio()?.block_on(async {
        let engine = Engine::start(config, std::sync::Arc::new(log)).await?;
        let whereabouts = engine.whereabouts().clone();
        if output.is_json() {
            output.json(&json!({"ready": whereabouts}));
        } else {
            output.say(&format!("the engine is ready at https://{} (process {})", whereabouts.address, whereabouts.pid));
        }
        asked_to_stop().await?;
        engine.stop().await
    })
}

/// Waits for SIGTERM or an interrupt.
pub(super) async fn asked_to_stop() -> Result<(), Problem> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| Problem::new(ProblemKind::Host, format!("cannot listen for signals: {error}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?);
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    Ok(())
}

fn tell(context: &Context, engine: Option<&Whereabouts>) {
    let output = &context.output;
    match engine {
        _ if output.is_json() => output.json(&json!({"running": engine.is_some(), "engine": engine, "home": context.home})),
        Some(engine) => {
            output.data(&format!("the engine runs at https://{} (process {}, home {})", engine.address, engine.pid, context.home.display()))
        }
        None => output.data(&format!("the engine does not run (home {})", context.home.display())),
    }
}

fn reset(context: &Context) -> Result<(), Problem> {
    engine_client::stop(context, STOP_PATIENCE)?;
    let config = config(context, 0)?;
    context.tokio()?.block_on(engine::reset(&config))?;
    context.output.say("all that the engine made on this machine is gone; images are kept (`wharf image prune --all` removes them)");
    Ok(())
}

fn logs(context: &Context, follow: bool) -> Result<(), Problem> {
    let path = engine_client::folder(context).join("engine.log");
    let mut from = 0;
    loop {
        let content =
            base::files::read_if_exists(&path).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?.unwrap_or_default();
        // A log that has become shorter was begun anew.
        from = if content.len() < from { 0 } else { from };
        context.output.raw(content.get(from..).unwrap_or_default());
        from = content.len();
        if !follow {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn kubeconfig(context: &Context, merge: bool) -> Result<(), Problem> {
    let path = engine_client::kubeconfig(context);
    let missing =
        || Problem::new(ProblemKind::Unreachable, "the engine has never been started here").hint("`wharf engine start` starts it");
    let ours =
        base::files::read_if_exists(&path).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?.ok_or_else(missing)?;
    if !merge {
        context.output.raw(&ours);
        return Ok(());
    }
    let written = crate::kubeconfig::merge(&ours)?;
    context.output.say(&format!("added the context `wharf` to `{}`; use it with `kubectl --context wharf`", written.display()));
    Ok(())
}
