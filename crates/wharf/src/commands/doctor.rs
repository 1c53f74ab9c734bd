//! `wharf doctor`: what this host has, what it lacks, and what that means.

use super::{Command, arguments};
use crate::context::Context;
use crate::output::Paint;
use base::{Problem, ProblemKind};
use clap::Args;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// See the module.
pub const COMMAND: Command =
    Command { name: "doctor", about: "Says what this host has and lacks, each with the next step", define: Doctor::augment_args, run };

#[derive(Debug, Args)]
struct Doctor {}

/// One thing that the root tier stands on.
struct Check {
    name: &'static str,
    /// What does not work without it.
    serves: &'static str,
    /// What is there, or what is missing and what to do.
    probe: fn(&Context) -> Result<String, String>,
}

const CHECKS: &[Check] = &[
    Check { name: "root", serves: "containers, pod network, image layers", probe: root },
    Check { name: "kernel", serves: "openat2, clone3, pidfd, close_range, mount_setattr (5.12 or newer)", probe: kernel },
    Check { name: "cgroups", serves: "limits of memory, CPU and processes", probe: cgroups },
    Check { name: "overlayfs", serves: "containers' root file systems", probe: overlay },
    Check { name: "nf_tables", serves: "services, policies, the way out", probe: rules },
    Check { name: "ip forwarding", serves: "pods that reach each other and the outside", probe: forwarding },
    Check { name: "home", serves: "all that Wharf keeps", probe: home },
    Check { name: "port 6443", serves: "the API (the next free port is taken otherwise)", probe: api_port },
    Check { name: "open files", serves: "many pods and connections at once", probe: open_files },
];

/// What each tier promises; the rootless one is not built yet and is refused in a sentence.
const TIERS: &[(&str, &str)] = &[
    ("root", "everything: isolation, limits, pod network, services, policies, volumes; every published number is of this tier"),
    ("rootless", "not supported yet: run as root"),
];

fn run(context: &Context, matches: &clap::ArgMatches) -> Result<ExitCode, Problem> {
    let Doctor {} = arguments(matches)?;
    let results: Vec<_> = CHECKS.iter().map(|check| (check, (check.probe)(context))).collect();
    let output = &context.output;
    for (check, result) in &results {
        let (verdict, words) = match result {
            Ok(words) => ("ok", words),
            Err(words) => ("lacking", words),
        };
        if output.is_json() {
            output.json(&json!({"check": check.name, "ok": result.is_ok(), "found": words, "serves": check.serves}));
        } else {
            let paint = if result.is_ok() { Paint::Green } else { Paint::Red };
            let shown = output.paint(paint, &format!("{verdict:<8}"));
            output.data(&format!("{:<14} {shown} {words}", check.name));
            if result.is_err() {
                output.data(&format!("{:<14} {:<8} without it: no {}", "", "", check.serves));
            }
        }
    }
    if !output.is_json() {
        for (tier, promise) in TIERS {
            output.data(&format!("tier {tier:<9} {promise}"));
        }
    }
    let lacking: Vec<&str> = results.iter().filter(|(_, result)| result.is_err()).map(|(check, _)| check.name).collect();
    if lacking.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Problem::new(ProblemKind::Host, format!("this host lacks: {}", lacking.join(", "))))
}

/// The first thing that the engine cannot do without and this host lacks.
///
/// # Errors
/// Names it, with the next step.
pub fn require_root() -> Result<(), Problem> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Host, "Wharf needs root for containers and their network; the rootless tier is not supported yet")
        .hint("run it with `sudo`, or as root"))
}

fn root(_: &Context) -> Result<String, String> {
    let user = rustix::process::geteuid();
    if user.is_root() {
        Ok("user 0".to_owned())
    } else {
        Err(format!("user {}; run as root: the rootless tier is not supported yet", user.as_raw()))
    }
}

fn kernel(_: &Context) -> Result<String, String> {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 12) { Ok(format!("Linux {release}")) } else { Err(format!("Linux {release}; install 5.12 or newer")) }
}

fn cgroups(_: &Context) -> Result<String, String> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let v1: Vec<&str> = mounts.lines().filter(|line| line.split(' ').nth(2) == Some("cgroup")).collect();
    let has = |controller: &str| {
        v1.iter().any(|line| line.split(' ').nth(3).is_some_and(|options| options.split(',').any(|option| option == controller)))
    };
    if v1.is_empty() {
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        let missing: Vec<&str> =
            ["cpu", "memory", "pids"].into_iter().filter(|name| !controllers.split_whitespace().any(|found| found == *name)).collect();
        return if missing.is_empty() {
            Ok("v2".to_owned())
        } else {
            Err(format!("v2 without {}; mount /sys/fs/cgroup with these controllers", missing.join(", ")))
        };
    }
    let missing: Vec<&str> = ["cpu", "memory", "pids"].into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        Ok("v1 (by the adapter)".to_owned())
    } else {
        Err(format!("v1 without {}; mount these hierarchies", missing.join(", ")))
    }
}

fn overlay(_: &Context) -> Result<String, String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.ends_with("\toverlay")) {
        Ok("there".to_owned())
    } else {
        Err("missing; `modprobe overlay`".to_owned())
    }
}

fn rules(_: &Context) -> Result<String, String> {
    network::packet_rules().map(|()| "there".to_owned()).map_err(|error| error.to_string())
}

fn forwarding(_: &Context) -> Result<String, String> {
    let value = fs::read_to_string("/proc/sys/net/ipv4/ip_forward")
        .map_err(|error| format!("/proc/sys/net/ipv4/ip_forward cannot be read: {error}"))?;
    Ok(if value.trim() == "1" { "on".to_owned() } else { "off; the engine turns it on, and off again at `engine reset`".to_owned() })
}

fn home(context: &Context) -> Result<String, String> {
    let existing = context.home.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(existing).map_err(|error| format!("{}: {error}", existing.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let shown = format!("{} with {} free", context.home.display(), base::units::show_bytes(free));
    if stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        return Err(format!("{shown}, mounted read-only; pass another with `--home DIR`"));
    }
    if free < 256 << 20 { Err(format!("{shown}; make room, or pass another with `--home DIR`")) } else { Ok(shown) }
}

fn api_port(context: &Context) -> Result<String, String> {
    if crate::engine_client::running(context).is_some() {
        return Ok("taken by the running engine".to_owned());
    }
    Ok(match std::net::TcpListener::bind(("127.0.0.1", 6443)) {
        Ok(_) => "free".to_owned(),
        Err(error) => format!("taken ({error}); the next free one will be used"),
    })
}

fn open_files(_: &Context) -> Result<String, String> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(most) if most < 4_096 => Err(format!("at most {most}; raise it with `ulimit -Hn 65536`")),
        Some(most) => Ok(format!("up to {most}")),
        None => Ok("no limit".to_owned()),
    }
}
