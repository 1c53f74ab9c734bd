//! `wharf load`: load on a URL with hey's letters, or the project's own loads.

use super::{Command, arguments};
use crate::cli::usage;
use crate::context::Context;
use crate::load;
use crate::stages::{Run, Selection, headers};
use base::Problem;
use base::units::parse_duration;
use clap::Args;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use loadgen::{Amount, Config, Limits, Pace, Trust};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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
    /// The body from a file
    #[arg(short = 'D', value_name = "FILE", conflicts_with = "data")]
    data_file: Option<PathBuf>,
    /// The body's type
    #[arg(short = 'T', value_name = "TYPE")]
    content_type: Option<String>,
    /// The `Accept` header
    #[arg(short = 'A', value_name = "TYPE")]
    accept: Option<String>,
    /// Basic authentication
    #[arg(short = 'a', value_name = "USER:PASSWORD")]
    basic: Option<String>,
    /// For one request; a number alone is seconds
    #[arg(short = 't', default_value = "20s", value_name = "DURATION")]
    timeout: String,
    /// So many a second in all, due at equal distances whatever the answers do
    #[arg(long)]
    rate: Option<f64>,
    /// A connection for each request
    #[arg(long)]
    disable_keepalive: bool,
    /// HTTP/2: over TLS by agreement, else at once
    #[arg(long)]
    h2: bool,
    /// Requests at a time on each connection of HTTP/2
    #[arg(long, default_value_t = 1, requires = "h2")]
    streams: usize,
    /// Authorities to trust beside the machine's, or the service's own certificate, in PEM
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Takes every certificate
    #[arg(long, conflicts_with = "cacert")]
    insecure: bool,
    /// Fails when more than so many fail
    #[arg(long)]
    max_failed: Option<u64>,
    /// Fails when half take longer
    #[arg(long, value_name = "DURATION")]
    p50: Option<String>,
    /// Fails when 95 % take longer
    #[arg(long, value_name = "DURATION")]
    p95: Option<String>,
    /// Fails when 99 % take longer
    #[arg(long, value_name = "DURATION")]
    p99: Option<String>,
}

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let asked: Load = arguments(matches)?;
    let Some(url) = asked.url.clone() else {
        crate::interrupt::listen(&context.output);
        Run::new(context, None)?.go(&Selection::of(&["load"]).stages()?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let config = config(&asked, url)?;
    let report = context.tokio()?.block_on(load::run(&context.output, config, crate::interrupt::first()))?;
    load::show(&context.output, &report);
    if report.ended_early {
        return Ok(ExitCode::from(base::ProblemKind::Interrupted.exit_code()));
    }
    load::judge(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn config(asked: &Load, url: String) -> Result<Config, Problem> {
    let mut config = Config::new(url);
    config.method = asked.method.parse().map_err(|_| usage(format!("`{}` is no method", asked.method)))?;
    config.headers = all_headers(asked)?;
    config.body = match &asked.data_file {
        Some(file) => read(file)?.into(),
        None => asked.data.clone().unwrap_or_default().into(),
    };
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
    config.timeout = match asked.timeout.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => parse_duration(&asked.timeout).map_err(usage)?,
    };
    config.keep_alive = !asked.disable_keepalive;
    (config.http2, config.streams) = (asked.h2, asked.streams);
    config.trust = match &asked.cacert {
        _ if asked.insecure => Trust::Anybody,
        Some(file) => Trust::Authorities(String::from_utf8_lossy(&read(file)?).into_owned()),
        None => Trust::Machine,
    };
    let time = |text: &Option<String>| text.as_deref().map(parse_duration).transpose().map_err(usage);
    let (p50, p95, p99) = (time(&asked.p50)?, time(&asked.p95)?, time(&asked.p99)?);
    config.limits = Limits { max_failed: asked.max_failed, p50, p95, p99, worse_than: None };
    Ok(config)
}

fn all_headers(asked: &Load) -> Result<HeaderMap, Problem> {
    let mut pairs = Vec::new();
    for header in &asked.header {
        pairs.push(header.split_once(':').ok_or_else(|| usage(format!("`-H {header}` has no `:`")).hint("write -H 'Name: value'"))?);
    }
    pairs.extend(asked.content_type.as_deref().map(|text| ("content-type", text)));
    pairs.extend(asked.accept.as_deref().map(|text| ("accept", text)));
    let mut all = headers(pairs.into_iter())?;
    if let Some(credentials) = &asked.basic {
        all.insert(AUTHORIZATION, loadgen::basic(credentials).map_err(|error| usage(error.to_string()))?);
    }
    Ok(all)
}

fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    base::files::read(file).map_err(|error| usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn read_line(line: &[&str]) -> Result<Config, String> {
        let command = Load::augment_args(clap::Command::new("load").no_binary_name(true));
        let matches = command.try_get_matches_from(line).map_err(|error| error.to_string())?;
        let asked = Load::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        config(&asked, asked.url.clone().unwrap_or_default()).map_err(|problem| problem.message)
    }

    #[test]
    fn letters_are_heys() {
        let body = std::env::temp_dir().join(format!("wharf-load-body-{}", base::ids::suffix(8)));
        std::fs::write(&body, "from a file").expect("written");
        let file = body.to_str().expect("text");
        let line =
            ["-n", "7", "-c", "3", "-q", "2.5", "-m", "PUT", "-H", "X: y", "-T", "text/a", "-A", "text/b", "-a", "me:word", "-t", "3"];
        let config = read_line(&[&line as &[&str], &["-D", file, "--disable-keepalive", "http://a/"]].concat()).expect("read");
        assert_eq!((config.amount, config.concurrency, config.pace), (Amount::Requests(7), 3, Pace::PerConnection(2.5)));
        assert_eq!((config.method.as_str(), config.body.as_ref(), config.keep_alive), ("PUT", b"from a file" as &[u8], false));
        assert_eq!(config.timeout, Duration::from_secs(3));
        let header = |name: &str| config.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned).unwrap_or_default();
        let names = ["x", "content-type", "accept", "authorization"];
        assert_eq!(names.map(header), ["y", "text/a", "text/b", "Basic bWU6d29yZA=="]);
        assert!(!format!("{:?}", config.headers).contains("bWU6d29yZA"), "what is secret is not shown");
        let config = read_line(&[
            "-z",
            "90s",
            "--rate",
            "300",
            "--h2",
            "--streams",
            "8",
            "--p50",
            "1ms",
            "--p95",
            "2ms",
            "--p99",
            "1s",
            "--insecure",
            "https://a/",
        ]);
        let config = config.expect("read");
        assert_eq!((config.amount, config.pace), (Amount::Time(Duration::from_secs(90)), Pace::Arrivals(300.0)));
        assert_eq!((config.http2, config.streams, config.trust), (true, 8, Trust::Anybody));
        assert_eq!(config.limits.p95, Some(Duration::from_millis(2)));
        std::fs::remove_file(body).expect("removed");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (line, part) in [
            (&["-n", "1", "-z", "1s", "http://a/"] as &[&str], "cannot be used with"),
            (&["-q", "1", "--rate", "1", "http://a/"], "cannot be used with"),
            (&["--streams", "2", "http://a/"], "--h2"),
            (&["-H", "nonsense", "http://a/"], "has no `:`"),
            (&["-a", "nonsense", "http://a/"], "USER:PASSWORD"),
            (&["-t", "soon", "http://a/"], "duration"),
            (&["-D", "/nowhere/at/all", "http://a/"], "/nowhere/at/all"),
        ] {
            let told = read_line(line).expect_err("refused");
            assert!(told.contains(part), "{line:?}: {told}");
        }
    }
}
