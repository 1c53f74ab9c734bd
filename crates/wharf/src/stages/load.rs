//! Load: the project's own loads on what was deployed, where it is asked for.

use super::{Done, Run, Stage};
use crate::load::{self, Kept};
use crate::output::Running;
use crate::settings::{Load, Percent};
use base::{Problem, ProblemKind};
use cluster::Cluster;
use delivery::inventory::Inventory;
use delivery::smoke::endpoint;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use loadgen::{Amount, Before, Config, Limits, Pace, Report};
use serde_json::{Value, json};

/// See the module.
pub const STAGE: Stage = Stage {
    name: "load",
    on_demand: true,
    needs_cluster: true,
    applies: super::always,
    judges_release: true,
    interrupted: "what was deployed stays and was not measured to the end; run this again",
    run,
};

fn run(run: &mut Run, _: &Running<'_>) -> Result<Done, Problem> {
    let loads = run.project.settings().load.clone();
    if loads.is_empty() {
        return Ok(Done::unchanged("no loads"));
    }
    if run.unchanged && !run.is_on_trial(&STAGE) {
        return Ok(Done::unchanged("what serves had its load when it was deployed"));
    }
    let cluster = run.cluster()?;
    let (mut told, mut detail) = (Vec::new(), Vec::new());
    let mut measured = Measured::of(run)?;
    for wanted in &loads {
        let output = &run.context.output;
        let mut config = run.tokio.block_on(config(wanted, &cluster, run.project.name(), &run.host))?;
        config.before = measured.before(wanted);
        let report = run.tokio.block_on(load::run(output, config, std::future::pending()))?;
        load::show(output, &report);
        load::judge(&report)?;
        measured.keep(wanted, &report)?;
        detail.push(figures(&report));
        told.push(format!("{} requests, {}", report.requests, load::outcome(&report)));
    }
    Ok(Done::new(told.join("; ")).with(json!({"loads": detail})))
}

/// What a record keeps of a load.
fn figures(report: &Report) -> Value {
    let times = report.times();
    json!({"method": report.method, "url": report.url, "protocol": report.protocol, "concurrency": report.concurrency,
        "requests": report.requests, "ok": report.ok, "failed": report.failed, "retried": report.retried, "seconds": report.seconds,
        "rate": report.rate, "wanted_rate": report.wanted_rate, "p50_us": times.p50_us, "p95_us": times.p95_us, "p99_us": times.p99_us,
        "max_us": times.max_us, "verdict": report.verdict})
}

/// The release that serves, and what was measured of it and of others.
struct Measured {
    kept: Kept,
    release: Option<String>,
}

impl Measured {
    fn of(run: &Run) -> Result<Self, Problem> {
        let (context, project) = (&run.context, run.project.name());
        let cluster = run.cluster()?;
        let inventory = run.tokio.block_on(Inventory::load(&cluster, project, project))?;
        Ok(Self { kept: Kept::open(&context.home, project, &context.globals.env), release: inventory.current })
    }

    fn before(&self, wanted: &Load) -> Option<Before> {
        self.kept.before(self.release.as_deref()?, &name(wanted))
    }

    /// Only what was good is something to be compared with.
    fn keep(&mut self, wanted: &Load, report: &Report) -> Result<(), Problem> {
        let Some(release) = &self.release else { return Ok(()) };
        self.kept.keep(release, &name(wanted), report).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))
    }
}

/// What makes two loads the same, so that their times can be compared.
fn name(wanted: &Load) -> String {
    let (method, target) = wanted.request();
    let pace = wanted.rate.map_or("as fast as answered".to_owned(), |rate| format!("{rate}/s"));
    let protocol = if wanted.h2 { ", HTTP/2" } else { "" };
    format!("{} {target}, {} connections, {pace}{protocol}", method.name(), wanted.concurrency)
}

async fn config(wanted: &Load, cluster: &Cluster, namespace: &str, host: &str) -> Result<Config, Problem> {
    let (method, target) = wanted.request();
    let url = if target.starts_with("http://") || target.starts_with("https://") {
        target.to_owned()
    } else {
        let found = endpoint(target, cluster, namespace, host).await?;
        let found = found.map_err(|why| Problem::new(ProblemKind::Target, format!("`{target}` cannot be reached: {why}")))?;
        format!("http://{}:{}{}", found.host, found.port, found.path)
    };
    let mut config = Config::new(url);
    config.method = method.name().parse().unwrap_or(Method::GET);
    config.headers = headers(wanted.header.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    config.body = wanted.data.clone().unwrap_or_default().into();
    config.amount = match (wanted.duration, wanted.requests) {
        (Some(time), _) => Amount::Time(time),
        (None, requests) => Amount::Requests(requests.unwrap_or(200)),
    };
    config.concurrency = usize::try_from(wanted.concurrency).unwrap_or(usize::MAX);
    config.pace = wanted.rate.map_or(Pace::Free, |rate| Pace::Arrivals(rate as f64));
    config.timeout = wanted.timeout;
    config.http2 = wanted.h2;
    config.limits = Limits {
        max_failed: Some(wanted.max_failed),
        p50: wanted.p50,
        p95: wanted.p95,
        p99: wanted.p99,
        worse_than: wanted.worse_than.map(|Percent(percent)| f64::from(percent) / 100.0),
    };
    Ok(config)
}

/// Headers as they were written.
///
/// # Errors
/// Names the one that is none.
pub fn headers<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let wrong = || Problem::new(ProblemKind::Usage, format!("`{name}: {value}` is no header"));
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?);
    }
    Ok(headers)
}
