//! A run: threads with connections, watched until all is counted.

use crate::config::{Config, ConfigError, Pace};
use crate::http1::Thread;
use crate::http2;
use crate::pace::Pacer;
use crate::report::{Generator, Report};
use crate::shared::{Seen, Shared};
use crate::tally::Tally;
use crate::target::Target;
use crate::tls::Secure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

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
/// Arrivals a second that one thread sends without being late; one thread has one line of free connections.
const THREAD_RATE: f64 = 40_000.0;

/// Puts load on a service and reports what came of it. Dropped before its end, it stops.
///
/// # Errors
/// When a setting cannot be used. What the service does wrong is in the report.
pub async fn run(config: Config, progress: impl FnMut(Progress) + Send) -> Result<Report, ConfigError> {
    run_until(config, std::future::pending(), progress).await
}

/// As [`run`]; once `end` comes no further request is sent, those on their way are waited for, and the report says that it ended early.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    config: Config,
    end: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Report, ConfigError> {
    let target = Target::of(&config)?;
    let secure = target.secure.then(|| Secure::new(&target.host, &config.trust, config.http2)).transpose()?;
    let address = match config.connect_to {
        Some(address) => address,
        None => look_up(&target).await?,
    };
    make_room(config.concurrency)?;
    let shared = Arc::new(Shared {
        target,
        address,
        secure,
        pacer: Pacer::new(config.pace, config.amount),
        amount: config.amount,
        timeout: config.timeout,
        keep_alive: config.keep_alive,
        start: Instant::now(),
        stop: AtomicBool::new(false),
    });
    let _stop = Stop(Arc::clone(&shared));
    let mut crew = Crew::start(&config, &shared);
    let tally = watch(&mut crew, &shared, end, &mut progress).await?;
    let wanted = if let Pace::Arrivals(rate) = config.pace { Some(rate) } else { None };
    let mut report = tally.report(shared.now(), wanted.is_some());
    report.url = config.url;
    report.method = config.method.to_string();
    report.protocol = if config.http2 { "HTTP/2" } else { "HTTP/1.1" }.to_owned();
    report.concurrency = config.concurrency;
    report.wanted_rate = wanted;
    report.before = config.before;
    report.ended_early = shared.pacer.is_ended();
    report.judge(&config.limits);
    Ok(report)
}

/// Until all threads have ended.
async fn watch(
    crew: &mut Crew,
    shared: &Shared,
    end: impl Future<Output = ()>,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Tally, ConfigError> {
    let mut tick = tokio::time::interval(TELL);
    let mut tally = shared.tally();
    let mut end = std::pin::pin!(end);
    for done in &mut crew.threads {
        let part = loop {
            tokio::select! {
                part = &mut *done => break part,
                () = &mut end, if !shared.pacer.is_ended() => shared.pacer.end(),
                _ = tick.tick() => progress(tell(shared, &crew.seen)),
            }
        };
        match part {
            Ok(Ok(part)) => tally.add(part),
            Ok(Err(error)) => return Err(ConfigError::Machine(format!("a thread of the generator cannot work: {error}"))),
            Err(_) => return Err(ConfigError::Machine("a thread of the generator ended without counts".to_owned())),
        }
    }
    if shared.pacer.is_ended() {
        tally.ends_early();
    }
    progress(tell(shared, &crew.seen));
    Ok(tally)
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

/// Each connection is a file; what a process may have at first is often 1,024.
fn make_room(connections: usize) -> Result<(), ConfigError> {
    let wanted = connections as u64 * 2 + 256;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|most| most < wanted) {
        let most = maximum.unwrap_or_default();
        return Err(ConfigError::Machine(format!("{connections} connections need {wanted} open files, and this process may have {most}")));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        .map_err(|error| ConfigError::Machine(format!("cannot open {wanted} files: {error}")))
}

fn tell(shared: &Shared, seen: &[Arc<Seen>]) -> Progress {
    let (done, failed) = seen.iter().map(|seen| seen.get()).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Progress { elapsed: shared.now(), done, failed }
}

/// Ends the threads when the run is given up.
struct Stop(Arc<Shared>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

struct Crew {
    threads: Vec<oneshot::Receiver<io::Result<Tally>>>,
    seen: Vec<Arc<Seen>>,
}

impl Crew {
    fn start(config: &Config, shared: &Arc<Shared>) -> Self {
        let count = threads(config);
        let mut crew = Self { threads: Vec::new(), seen: Vec::new() };
        for index in 0..count {
            let connections = config.concurrency / count + usize::from(index < config.concurrency % count);
            let streams = config.http2.then_some(config.streams);
            let (send, receive) = oneshot::channel();
            let (seen, shared) = (Arc::new(Seen::default()), Arc::clone(shared));
            crew.seen.push(Arc::clone(&seen));
            crew.threads.push(receive);
            let body = move || {
                let _ = send.send(thread(connections, streams, &shared, &seen));
            };
            // Without a thread its channel closes, and that is told.
            let _ = std::thread::Builder::new().name("load".to_owned()).spawn(body);
        }
        crew
    }
}

fn threads(config: &Config) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is at most 10^7")]
    let useful = match config.pace {
        Pace::Arrivals(rate) => (rate / THREAD_RATE).ceil() as usize,
        Pace::Free | Pace::PerConnection(_) => processors,
    };
    config.threads.unwrap_or(useful.min(processors)).clamp(1, config.concurrency)
}

fn thread(connections: usize, streams: Option<usize>, shared: &Arc<Shared>, seen: &Arc<Seen>) -> io::Result<Tally> {
    let queued = queued();
    let mut tally = match streams {
        Some(streams) => http2::run(shared, seen, connections, streams)?,
        None => Thread::new(shared, seen, connections)?.run(),
    };
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let used = Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0));
    let queued = self::queued().saturating_sub(queued);
    tally.generator = Generator { threads: 1, cpu_seconds: used.as_secs_f64(), queued_seconds: queued.as_secs_f64() };
    Ok(tally)
}

/// How long this thread has waited for a processor; nothing where the kernel does not count it.
fn queued() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split_ascii_whitespace().nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
