//! The engine as the commands use it: found, started when it does not run, asked to stop.

use crate::context::Context;
use base::{Problem, ProblemKind};
use engine::lock::{self, Whereabouts};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long an engine may take to start or to end.
const CHANGING: Duration = Duration::from_secs(75);

/// The folder of the engine below the home.
pub fn folder(context: &Context) -> PathBuf {
    context.home.join("engine")
}

/// The running engine.
pub fn running(context: &Context) -> Option<Whereabouts> {
    Whereabouts::of_running(&folder(context))
}

/// The running engine, or why there is nothing to ask.
///
/// # Errors
/// When none runs.
pub fn require(context: &Context) -> Result<Whereabouts, Problem> {
    running(context).ok_or_else(|| {
        Problem::new(ProblemKind::Unreachable, "the engine does not run").hint("`wharf engine start` starts it, and so does `wharf up`")
    })
}

/// The file by which clients reach the engine.
pub fn kubeconfig(context: &Context) -> PathBuf {
    folder(context).join("kubeconfig")
}

/// The running engine, started first when there is none. Returns when its API answers.
///
/// # Errors
/// What the engine says of why it cannot start.
pub fn ensure(context: &Context) -> Result<Whereabouts, Problem> {
    if let Some(running) = settled(context) {
        return Ok(running);
    }
    let host = |doing: &str, error: &dyn std::fmt::Display| {
        Problem::new(ProblemKind::Host, format!("cannot {doing}: {error}"))
            .hint("make room or rights there, or pass another home with `--home DIR`")
    };
    base::files::make_folder(&folder(context), 0o700).map_err(|error| host("start the engine", &error))?;
    let log = folder(context).join("engine.log");
    let errors =
        OpenOptions::new().create(true).append(true).mode(0o600).open(&log).map_err(|error| host("write the engine's log", &error))?;
    let program = std::env::current_exe().map_err(|error| host("find this program", &error))?;
    let mut child = Command::new(program)
        .args(["engine", "start", "--foreground", "--json", "--home"])
        .arg(&context.home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .process_group(0)
        .current_dir("/")
        .spawn()
        .map_err(|error| host("start the engine", &error))?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        let _ = BufReader::new(out).read_line(&mut line);
    }
    let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
    if let Some(ready) = said.get("ready").and_then(|ready| serde_json::from_value(ready.clone()).ok()) {
        return Ok(ready);
    }
    let _ = child.wait();
    // Somebody else may have been faster.
    settled(context).map_or_else(|| Err(refusal(&said, &log)), Ok)
}

/// The running engine, after waiting for one that is just starting or ending.
fn settled(context: &Context) -> Option<Whereabouts> {
    let until = Instant::now() + CHANGING;
    loop {
        match running(context) {
            Some(running) => return Some(running),
            None if lock::is_held(&folder(context)) && Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            None => return None,
        }
    }
}

fn refusal(said: &serde_json::Value, log: &std::path::Path) -> Problem {
    let error = &said["error"];
    let kinds = [ProblemKind::Host, ProblemKind::Target, ProblemKind::Usage, ProblemKind::Unreachable];
    let kind = kinds.into_iter().find(|kind| error["kind"].as_str() == Some(kind.name())).unwrap_or(ProblemKind::Defect);
    let message = error["message"].as_str().unwrap_or("the engine ended before it was ready");
    let mut problem = Problem::new(kind, message);
    problem.hints = error["hints"].as_array().into_iter().flatten().filter_map(|hint| hint.as_str().map(str::to_owned)).collect();
    if problem.hints.is_empty() {
        problem = problem.hint(format!("its last words are in `{}`", log.display()));
    }
    problem
}

/// Asks the engine to end, and waits until it has; true when one ran.
///
/// # Errors
/// When it does not end in time.
pub fn stop(context: &Context, patience: Duration) -> Result<bool, Problem> {
    let Some(engine) = Whereabouts::of_held(&folder(context)) else { return Ok(false) };
    let gone =
        |error: rustix::io::Errno| Problem::new(ProblemKind::Target, format!("cannot signal the engine (process {}): {error}", engine.pid));
    let Some(handle) = handle(engine.pid) else { return Ok(true) };
    if !engine.ending {
        pidfd_send_signal(&handle, Signal::TERM).map_err(gone)?;
    }
    let ended = wait(&handle, patience);
    if ended {
        Ok(true)
    } else {
        Err(Problem::new(ProblemKind::Target, format!("the engine (process {}) has not ended after {} s", engine.pid, patience.as_secs())))
    }
}

/// A handle that no other process can come to stand behind.
fn handle(pid: u32) -> Option<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn wait(handle: &OwnedFd, patience: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(handle, PollFlags::IN)];
    let limit = Timespec { tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    poll(&mut polled, Some(&limit)).is_ok_and(|ready| ready > 0)
}
