//! A run: threads with connections, watched until all is counted.

use crate::config::{Config, ConfigError, Pace, Target};
use crate::pace::Pacer;
use crate::report::Report;
use crate::tally::Tally;
use crate::worker::{Desk, Seen, Shared, work};
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Since its start.
    pub elapsed: Duration,
    /// Requests that ended.
    pub done: u64,
    /// Those of them that failed.
    pub failed: u64,
}

/// How often progress is told.
const TELL: Duration = Duration::from_millis(250);

/// Puts load on a service and reports what came of it. Dropped before its end, it stops.
///
/// # Errors
/// When a setting cannot be used. What the service does wrong is in the report.
pub async fn run(config: Config, mut progress: impl FnMut(Progress) + Send) -> Result<Report, ConfigError> {
    let target = Target::of(&config)?;
    let address = match config.connect_to {
        Some(address) => address,
        None => look_up(&target).await?,
    };
    let pacer = Pacer::new(config.pace, config.amount);
    let (timeout, keep_alive) = (config.timeout, config.keep_alive);
    let shared = Arc::new(Shared { target, address, pacer, timeout, keep_alive, start: Instant::now(), stop: AtomicBool::new(false) });
    let _stop = Stop(Arc::clone(&shared));
    let mut crew = Crew::start(&config, &shared);
    let mut tick = tokio::time::interval(TELL);
    let mut tally = Tally::new();
    for done in &mut crew.threads {
        let part = loop {
            tokio::select! {
                part = &mut *done => break part,
                _ = tick.tick() => progress(tell(&shared, &crew.seen)),
            }
        };
        // A thread that could not work has nothing to add; its requests were never taken.
        if let Ok(part) = part {
            tally.add(part);
        }
    }
    let time = shared.start.elapsed();
    progress(tell(&shared, &crew.seen));
    let wanted = if let Pace::Arrivals(rate) = config.pace { Some(rate) } else { None };
    let mut report = tally.report(time, wanted.is_some());
    report.url = config.url;
    report.method = config.method.to_string();
    report.concurrency = config.concurrency;
    report.wanted_rate = wanted;
    report.judge(&config.limits);
    report.remark(crew.seen.len());
    Ok(report)
}

async fn look_up(target: &Target) -> Result<SocketAddr, ConfigError> {
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok((address, target.port).into());
    }
    let failed = |reason: String| ConfigError::Host { host: target.host.clone(), reason };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(|error| failed(error.to_string()))?;
    let found: Vec<SocketAddr> = found.collect();
    // `localhost` is both; services of ours answer on the old one.
    found.iter().find(|address| address.is_ipv4()).or(found.first()).copied().ok_or_else(|| failed("it has no address".to_owned()))
}

fn tell(shared: &Shared, seen: &[Arc<Seen>]) -> Progress {
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(|seen| of(seen)).sum();
    Progress {
        elapsed: shared.start.elapsed(),
        done: sum(|seen| seen.done.load(Ordering::Relaxed)),
        failed: sum(|seen| seen.failed.load(Ordering::Relaxed)),
    }
}

/// Ends the threads when the run is given up.
struct Stop(Arc<Shared>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

struct Crew {
    threads: Vec<oneshot::Receiver<Tally>>,
    seen: Vec<Arc<Seen>>,
}

impl Crew {
    fn start(config: &Config, shared: &Arc<Shared>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let count = config.threads.unwrap_or(processors).clamp(1, config.concurrency);
        let mut crew = Self { threads: Vec::new(), seen: Vec::new() };
        for index in 0..count {
            let connections = config.concurrency / count + usize::from(index < config.concurrency % count);
            let (send, receive) = oneshot::channel();
            let (seen, shared) = (Arc::new(Seen::default()), Arc::clone(shared));
            crew.seen.push(Arc::clone(&seen));
            crew.threads.push(receive);
            let body = move || {
                if let Some(tally) = thread(connections, &shared, &seen) {
                    let _ = send.send(tally);
                }
            };
            // Without a thread its channel closes, and the others do the work.
            let _ = std::thread::Builder::new().name("load".to_owned()).spawn(body);
        }
        crew
    }
}

fn thread(connections: usize, shared: &Arc<Shared>, seen: &Arc<Seen>) -> Option<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let desk = std::rc::Rc::new(Desk { tally: RefCell::new(Tally::new()) });
    let local = LocalSet::new();
    for _ in 0..connections {
        let (shared, desk, seen) = (Arc::clone(shared), std::rc::Rc::clone(&desk), Arc::clone(seen));
        local.spawn_local(async move { work(&shared, &desk, &seen).await });
    }
    runtime.block_on(local);
    let mut tally = std::rc::Rc::into_inner(desk)?.tally.into_inner();
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    tally.cpu = Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0));
    Some(tally)
}
