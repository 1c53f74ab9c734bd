//! `wharf load`: load on a URL with hey's letters, or the project's own loads.

use super::{Command, arguments};
use crate::cli::usage;
use crate::context::Context;
use crate::load;
use crate::stages::{Run, Selection, headers};
use base::Problem;
use base::units::parse_duration;
use clap::Args;
use loadgen::{Amount, Config, Limits, Pace};
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "load", about: "Puts load on a URL, or runs the project's own loads", define: Load::augment_args, run };

#[derive(Debug, Args)]
struct Load {
    /// Where to; the project's own loads when it is left out
    url: Option<String>,
    /// Requests in all
    #[arg(short = 'n', default_value_t = 200, conflicts_with = "duration")]
    requests: u64,
    /// Connections at a time
    #[arg(short = 'c', default_value_t = 50)]
    concurrency: usize,
    /// For so long instead of so many requests
    #[arg(short = 'z', value_name = "DURATION")]
    duration: Option<String>,
    /// At most so many a second on each connection
    #[arg(short = 'q', value_name = "RATE", conflicts_with = "rate")]
    per_connection: Option<f64>,
    /// The method
    #[arg(short = 'm', default_value = "GET")]
    method: String,
    /// A header; may be repeated
    #[arg(short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The body
    #[arg(short = 'd', value_name = "TEXT")]
    data: Option<String>,
    /// The body's type
    #[arg(short = 'T', value_name = "TYPE")]
    content_type: Option<String>,
    /// For one request
    #[arg(short = 't', default_value = "20s", value_name = "DURATION")]
    timeout: String,
    /// So many a second in all, due at equal distances whatever the answers do
    #[arg(long)]
    rate: Option<f64>,
    /// A connection for each request
    #[arg(long)]
    disable_keepalive: bool,
    /// HTTP/2
    #[arg(long)]
    h2: bool,
    /// Fails when more than so many fail
    #[arg(long)]
    max_failed: Option<u64>,
    /// Fails when 99 % take longer
    #[arg(long, value_name = "DURATION")]
    p99: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Load = arguments(matches)?;
    crate::interrupt::listen(&context.output);
    let Some(url) = asked.url.clone() else {
        Run::new(context, None)?.go(&Selection::of(&["load"]).stages()?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let config = config(&asked, url)?;
    let report = context.tokio()?.block_on(load::run(&context.output, config))?;
    load::show(&context.output, &report);
    load::judge(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn config(asked: &Load, url: String) -> Result<Config, Problem> {
    let mut pairs = Vec::new();
    for header in &asked.header {
        pairs.push(header.split_once(':').ok_or_else(|| usage(format!("`-H {header}` has no `:`")).hint("write -H 'Name: value'"))?);
    }
    if let Some(content_type) = &asked.content_type {
        pairs.push(("content-type", content_type));
    }
    let mut config = Config::new(url);
    config.method = asked.method.parse().map_err(|_| usage(format!("`{}` is no method", asked.method)))?;
    config.headers = headers(pairs.into_iter())?;
    config.body = asked.data.clone().unwrap_or_default().into();
    config.amount = match &asked.duration {
        Some(text) => Amount::Time(parse_duration(text).map_err(usage)?),
        None => Amount::Requests(asked.requests),
    };
    config.concurrency = asked.concurrency;
    config.pace = match (asked.rate, asked.per_connection) {
        (Some(rate), _) => Pace::Arrivals(rate),
        (None, Some(rate)) => Pace::PerConnection(rate),
        (None, None) => Pace::Free,
    };
    config.timeout = parse_duration(&asked.timeout).map_err(usage)?;
    config.keep_alive = !asked.disable_keepalive;
    config.http2 = asked.h2;
    config.limits = Limits {
        max_failed: asked.max_failed,
        p99: asked.p99.as_deref().map(parse_duration).transpose().map_err(usage)?,
        ..Limits::default()
    };
    Ok(config)
}
