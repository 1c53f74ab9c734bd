//! Load: the project's own loads on what was deployed, where it is asked for.

use super::{Done, Run, Stage};
use crate::load;
use crate::output::Running;
use crate::settings::Load;
use base::{Problem, ProblemKind};
use cluster::Cluster;
use delivery::smoke::endpoint;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use loadgen::{Amount, Config, Limits, Pace};

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
    let cluster = run.cluster()?;
    let mut requests = 0;
    for wanted in &loads {
        let output = &run.context.output;
        let report =
            run.tokio.block_on(async { load::run(output, config(wanted, &cluster, run.project.name(), &run.host).await?).await })?;
        requests += report.requests;
        load::show(output, &report);
        load::judge(&report)?;
    }
    Ok(Done::new(format!("{requests} requests, all limits kept")))
}

async fn config(wanted: &Load, cluster: &Cluster, namespace: &str, host: &str) -> Result<Config, Problem> {
    let (method, target) = wanted.request();
    let found = endpoint(target, cluster, namespace, host).await?;
    let found = found.map_err(|why| Problem::new(ProblemKind::Target, format!("`{target}` cannot be reached: {why}")))?;
    let mut config = Config::new(format!("http://{}:{}{}", found.host, found.port, found.path));
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
    config.limits = Limits { max_failed: Some(wanted.max_failed), p50: wanted.p50, p95: wanted.p95, p99: wanted.p99, worse_than: None };
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
