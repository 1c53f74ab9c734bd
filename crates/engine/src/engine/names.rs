//! The cluster's name service: a process of its own, kept running and adopted.

use super::{Config, Log, parts};
use base::{Problem, ProblemKind};
use network::HostNetwork;
use network::dns::{self, DnsConfig};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The word by which the program is started as the name service.
pub const WORD: &str = "__dns";

/// How long to wait before one that ended is started anew.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts the name service when none runs, and starts it again whenever it ends.
///
/// # Errors
/// When it cannot be started.
pub fn start(config: &Config, network: &HostNetwork, log: &Log) -> Result<(), Problem> {
    let wanted = DnsConfig::of(network.config());
    if pid(&wanted).is_none() {
        spawn(config)?;
    }
    let (config, log) = (config.clone(), log.clone());
    // A thread that sleeps until the process ends costs nothing.
    let watcher = std::thread::Builder::new().name("names".to_owned()).stack_size(64 << 10);
    let watched = watcher.spawn(move || watch(&config, &wanted, &log));
    watched.map(drop).map_err(|error| Problem::new(ProblemKind::Host, format!("cannot watch the name service: {error}")))
}

/// Ends it.
pub fn stop(config: &Config) {
    let _ = dns::stop(&DnsConfig::of(&parts::network_config(config)));
}

fn pid(wanted: &DnsConfig) -> Option<Pid> {
    let pid = dns::running(wanted).ok().flatten()?;
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn watch(config: &Config, wanted: &DnsConfig, log: &Log) {
    loop {
        // One that was just started takes a moment to say so.
        std::thread::sleep(PAUSE);
        if let Some(handle) = pid(wanted).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
            let mut polled = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
            let _ = rustix::event::poll(&mut polled, None);
        }
        // The engine that ends takes its home's announcement back first.
        if crate::lock::Whereabouts::of_running(&config.folder()).is_none_or(|engine| engine.pid != std::process::id()) {
            return;
        }
        log("the name service has ended and is started anew");
        if let Err(problem) = spawn(config) {
            log(&problem.message);
        }
    }
}

fn spawn(config: &Config) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::new(ProblemKind::Host, format!("cannot start the name service: {error}"));
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(config.home.join("network/dns.log")).map_err(failed)?;
    let mut child = Command::new(&config.program)
        .arg(WORD)
        .arg(&config.home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .current_dir("/")
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // Reaped by a thread of its own; it outlives the engine and is then the init process's.
    std::thread::Builder::new().stack_size(64 << 10).spawn(move || drop(child.wait())).map(drop).map_err(failed)
}
